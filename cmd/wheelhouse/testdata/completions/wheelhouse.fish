# What fish offers after "wheelhouse": made by go test ./cmd/wheelhouse -update
set -l commands {{range $i, $c := .Children}}{{if $i}} {{end}}{{$c.Name}}{{end}}
complete -c wheelhouse -f
complete -c wheelhouse -l config -r -F -d 'Configuration file'
complete -c wheelhouse -s h -l help -d 'Show help'
{{- range .Children}}
complete -c wheelhouse -n "not __fish_seen_subcommand_from $commands" -a {{.Name}} -d '{{fish (short .Help)}}'
{{- end}}
{{- range $c := .Children}}{{range .Children}}
complete -c wheelhouse -n "__fish_seen_subcommand_from {{$c.Name}}" -a {{.Name}} -d '{{fish (short .Help)}}'
{{- range .Flags}}
complete -c wheelhouse -n "__fish_seen_subcommand_from {{$c.Name}}" -l {{.Name}}
{{- if not .IsBool}} -x{{end}}{{with values .}} -a '{{.}}'{{end}} -d '{{fish (short .Help)}}'
{{- end}}{{end}}{{range .Flags}}
complete -c wheelhouse -n "__fish_seen_subcommand_from {{$c.Name}}" -l {{.Name}}
{{- if not .IsBool}} -x{{end}}{{with values .}} -a '{{.}}'{{end}} -d '{{fish (short .Help)}}'
{{- if .Tag.Negatable}}
complete -c wheelhouse -n "__fish_seen_subcommand_from {{$c.Name}}" -l no-{{.Name}} -d 'Not: {{fish (short .Help)}}'
{{- end}}
{{- end}}{{end}}
