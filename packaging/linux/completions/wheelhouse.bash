# What bash offers after "wheelhouse": made by go test ./cmd/wheelhouse -update
_wheelhouse() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      serve | demo | simulate | check | health | credentials | tesla | export | republish | forget | version)
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
    demo--speed) ;;
    demo--seed) ;;
    demo--for) ;;
    simulate--user) ;;
    simulate--password) ;;
    simulate--app) ;;
    simulate--fork) words="boessi" ;;
    simulate--mode) ;;
    simulate--seed) ;;
    simulate--speed) ;;
    simulate--script) words="working fast" ;;
    simulate--start) ;;
    simulate--upload) ;;
    simulate--for) ;;
    simulate--repeats) ;;
    tesla--region) words="na eu cn" ;;
    tesla--redirect) ;;
    tesla--set) ;;
    tesla--body) ;;
    tesla--listen) ;;
    tesla--house) ;;
    tesla--seed) ;;
    export--what) words="points sessions trips apart" ;;
    export--format) words="csv gpx json" ;;
    export--from) ;;
    export--to) ;;
    *)
      case $command in
        serve) words="--help" ;;
        demo) words="--speed --seed --for --help" ;;
        simulate) words="--user --password --app --fork --mode --seed --speed --script --start --power --no-power --location --no-location --upload --for --repeats --help" ;;
        check) words="--help" ;;
        health) words="--help" ;;
        credentials) words="--help" ;;
        tesla) words="keygen serve-key register login pair status get logout simulate --region --redirect --refresh-token --json --set --body --change --listen --house --seed --help" ;;
        export) words="--what --format --from --to --help" ;;
        republish) words="--help" ;;
        forget) words="--data --help" ;;
        version) words="--help" ;;
        *) words="serve demo simulate check health credentials tesla export republish forget version --config --help" ;;
      esac
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _wheelhouse wheelhouse
