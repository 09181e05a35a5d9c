# What bash offers after "wheelhouse": made by go test ./cmd/wheelhouse -update
_wheelhouse() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      {{range $i, $c := .Children}}{{if $i}} | {{end}}{{$c.Name}}{{end}})
        command=${COMP_WORDS[i]}
        break
        ;;
    esac
  done
  case $command$before in
    *--config)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
{{- range $c := .Children}}{{range .Flags}}{{if not .IsBool}}
    {{$c.Name}}--{{.Name}}) {{with values .}}words="{{.}}" {{end}};;
{{- end}}{{end}}{{range .Children}}{{range .Flags}}{{if not .IsBool}}
    {{$c.Name}}--{{.Name}}) {{with values .}}words="{{.}}" {{end}};;
{{- end}}{{end}}{{end}}{{end}}
    *)
      case $command in
{{- range .Children}}
        {{.Name}}) words="{{with flags .}}{{.}} {{end}}--help" ;;
{{- end}}
        *) words="{{range .Children}}{{.Name}} {{end}}--config --help" ;;
      esac
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _wheelhouse wheelhouse
