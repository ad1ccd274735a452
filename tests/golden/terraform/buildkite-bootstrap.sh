#!/usr/bin/env bash
# Makes a new instance of the Elastic CI Stack an agent for the Arrow benchmarks.
#
# The stack runs it as root, once for each instance, as `bash <script`: this file is bash's own
# standard input. So everything is in functions, and the last line calls them with another standard
# input: a truncated copy runs nothing, and no child can read the rest of the script. A failure ends
# the instance, and its group starts the next one: what an agent can do without must not fail.
#
# The output goes to /var/log/elastic-stack.log and to CloudWatch: no secret may be in it.

AGENT_USER=buildkite-agent
AGENT_HOME=/var/lib/buildkite-agent
AGENT_HOOK=/etc/buildkite-agent/hooks/environment
QUEUE_ENV=${AGENT_HOME}/queue-env
QUEUE_HOOK=/etc/buildkite-agent/queue-env.sh

# Seconds until all that needs the network must be done. The stack waits fifteen minutes for an
# instance (its InstanceCreationTimeout).
DEADLINE=600

CONDA_HOME=/opt/miniconda3
CONDA_RELEASE=py313_26.1.1-1
CONDA_SHA256_X86_64=f6dfb5b59614fd7b2956b240b2575a9d58203ec7f7a99f85128158a0fdc5c1d7
CONDA_SHA256_AARCH64=07c82b5aec04d5f0f3e4b246835b6bc85e104821cbcb0a059c7ea80f028503f4

BUILD_TOOLS=(cmake gcc gcc-c++ git make ninja-build)
PYTHON=(python3 python3-devel python3-pip)
# What building Arrow's C++ and Python takes from the system; Arrow bundles what is not here.
ARROW_LIBRARIES=(
  autoconf bison boost-devel brotli-devel bzip2-devel flex libcurl-devel lz4-devel openssl-devel
  pkgconf-pkg-config re2-devel snappy-devel utf8proc-devel xz-devel zlib-devel libzstd-devel
)

main() {
  set -euo pipefail
  umask 022
  export HOME="${HOME:-/root}"

  required "build tools" install_packages "${BUILD_TOOLS[@]}"
  required "Python" install_packages "${PYTHON[@]}"
  # Not strict: one that the distribution has not, or no longer, must not keep the others away.
  optional "libraries for Arrow" install_packages --setopt=strict=0 "${ARROW_LIBRARIES[@]}"
  required "Miniconda" install_conda
  required "Docker" ensure_docker
  required "git configuration" configure_git
  required "file limits" raise_file_limits
  required "sudo rule" allow_dropping_caches
  optional "network settings" tune_network
  required "the queue's env file" fetch_queue_env
  log "done after ${SECONDS} s"
}

log() {
  printf 'bootstrap: %s\n' "$*" >&2
}

# required NAME COMMAND...: run it as a step without which there is no agent.
required() {
  local name=$1 started=${SECONDS}
  shift
  log "${name} ..."
  # Not in an `if`: there, and so in all that it calls, bash would not heed `set -e`.
  trap 'log "FAILED: '"${name//\'/}"'"' EXIT
  "$@"
  trap - EXIT
  log "${name}: done in $((SECONDS - started)) s"
}

# optional NAME COMMAND...: run it as a step that an agent can do without.
optional() {
  local name=$1 started=${SECONDS} status=0
  shift
  log "${name} ..."
  # In a process of its own, where `set -e` holds.
  (
    set -euo pipefail
    "$@"
  ) &
  wait "$!" || status=$?
  if ((status == 0)); then
    log "${name}: done in $((SECONDS - started)) s"
  else
    log "WARNING: ${name}: failed with status ${status}, and the agent starts without"
  fi
}

# retry COMMAND...: try it three times, each for no more than three minutes or until the deadline.
retry() {
  local attempt left
  for attempt in 1 2 3; do
    left=$((DEADLINE - SECONDS))
    if ((left <= 0)); then
      log "no time is left for: $1"
      return 1
    fi
    if timeout "$((left < 180 ? left : 180))" "$@"; then
      return 0
    fi
    log "attempt ${attempt} of 3 failed: $1"
    if ((attempt < 3)); then
      sleep "$((attempt * 5))"
    fi
  done
  return 1
}

# install_packages [OPTION] PACKAGE...: install those that are not there yet.
install_packages() {
  local argument missing=()
  # The image has minimal forms of curl and others, which the full ones take the place of.
  local options=(--assumeyes --quiet --allowerasing)
  for argument in "$@"; do
    if [[ ${argument} == --* ]]; then
      options+=("${argument}")
    elif ! rpm --quiet --query "${argument}"; then
      missing+=("${argument}")
    fi
  done
  if ((${#missing[@]} > 0)); then
    retry dnf install "${options[@]}" "${missing[@]}"
  fi
}

install_conda() {
  # Written last, so that an installation cut short is not taken for a whole one.
  local complete=${CONDA_HOME}/.installed-${CONDA_RELEASE}
  if [[ ! -e ${complete} ]]; then
    local architecture checksum folder
    architecture=$(uname -m)
    case ${architecture} in
    x86_64) checksum=${CONDA_SHA256_X86_64} ;;
    aarch64) checksum=${CONDA_SHA256_AARCH64} ;;
    *)
      log "no Miniconda for ${architecture}"
      return 1
      ;;
    esac
    folder=$(mktemp --directory)
    retry curl --fail --silent --show-error --location --output "${folder}/miniconda.sh" \
      "https://repo.anaconda.com/miniconda/Miniconda3-${CONDA_RELEASE}-Linux-${architecture}.sh"
    printf '%s  %s\n' "${checksum}" "${folder}/miniconda.sh" | sha256sum --check --quiet
    rm --recursive --force "${CONDA_HOME}"
    bash "${folder}/miniconda.sh" -b -p "${CONDA_HOME}"
    rm --recursive --force "${folder}"
    # conda-forge alone, as Arrow's builds use it: Anaconda's own channels have terms to accept.
    write_file 0644 "${CONDA_HOME}/.condarc" <<'CONDARC'
channels:
  - conda-forge
channel_priority: strict
CONDARC
    chown --recursive "${AGENT_USER}:" "${CONDA_HOME}"
    touch "${complete}"
  fi
  # Jobs run in shells that read no profile: they find conda on PATH, or where the benchmark jobs look
  # for it. Nothing is linked into /etc/profile.d: root's login shells would run what jobs can write.
  ln --symbolic --force "${CONDA_HOME}/bin/conda" /usr/local/bin/conda
  if [[ ! -e ${AGENT_HOME}/miniconda3 ]]; then
    ln --symbolic --force --no-dereference "${CONDA_HOME}" "${AGENT_HOME}/miniconda3"
  fi
}

ensure_docker() {
  if ! command -v docker >/dev/null; then
    install_packages docker
  fi
  systemctl enable --now docker.service
  usermod --append --groups docker "${AGENT_USER}"
}

configure_git() {
  as_agent git config --global user.name "Arrow Benchmarks"
  as_agent git config --global user.email "${AGENT_USER}@localhost"
  as_agent git config --global init.defaultBranch main
  as_agent git config --global advice.detachedHead false
}

as_agent() {
  runuser --user "${AGENT_USER}" -- env HOME="${AGENT_HOME}" "$@"
}

raise_file_limits() {
  # The agent is a systemd service, which /etc/security/limits.conf does not reach. Programs that go
  # through all descriptors up to the soft limit take long with a high one; those that need more raise
  # it up to the hard one. Containers take their limits from dockerd, and not from the agent.
  write_file 0644 /etc/systemd/system/buildkite-agent.service.d/limits.conf <<'LIMITS'
[Service]
LimitNOFILE=65536:1048576
LimitNPROC=infinity
LIMITS
  systemctl daemon-reload
}

tune_network() {
  {
    raised net.core.rmem_max 16777216
    raised net.core.wmem_max 16777216
    raised net.ipv4.tcp_rmem 4096 131072 16777216
    raised net.ipv4.tcp_wmem 4096 65536 16777216
  } | write_file 0644 /etc/sysctl.d/90-benchmarks.conf
  sysctl --quiet --load=/etc/sysctl.d/90-benchmarks.conf
}

# raised NAME VALUE...: print the setting NAME with each value that it has, or VALUE where that is more.
raised() {
  local name=$1 current value values=()
  shift
  current=$(sysctl --values "${name}")
  read -r -a current <<<"${current}"
  for value in "$@"; do
    if ((${current[${#values[@]}]:-0} > value)); then
      value=${current[${#values[@]}]}
    fi
    values+=("${value}")
  done
  printf '%s = %s\n' "${name}" "${values[*]}"
}

# Benchmarks that start with a cold disk empty the page cache, which takes root. Nothing else does:
# with more, any job could take over the instance, and so what later jobs on it see.
allow_dropping_caches() {
  local rule
  rule=$(mktemp)
  printf '%s ALL=(root) NOPASSWD: /usr/bin/tee /proc/sys/vm/drop_caches\n' "${AGENT_USER}" >"${rule}"
  visudo --check --quiet --file="${rule}"
  write_file 0440 /etc/sudoers.d/50-benchmarks <"${rule}"
  rm --force "${rule}"
}

fetch_queue_env() {
  local bucket="${BUILDKITE_SECRETS_BUCKET:?}" key="queues/${BUILDKITE_QUEUE:?}/env"
  local region="${BUILDKITE_SECRETS_BUCKET_REGION:-${AWS_REGION:-}}" found folder
  local options=(--no-cli-pager)
  if [[ -n ${region} ]]; then
    options+=(--region "${region}")
  fi
  # A listing tells a key that is not there from one that cannot be read.
  found=$(retry aws s3api list-objects-v2 "${options[@]}" --bucket "${bucket}" \
    --prefix "${key}" --query "length(Contents[?Key=='${key}'] || \`[]\`)" --output text)
  if [[ ${found} == 0 ]]; then
    log "there is no s3://${bucket}/${key}: jobs get no variables of their queue"
    rm --force "${QUEUE_ENV}"
  else
    # Only root can enter it, so that the file is nobody else's while it is written.
    folder=$(mktemp --directory)
    retry aws s3 cp "${options[@]}" --only-show-errors "s3://${bucket}/${key}" "${folder}/env"
    # Files that were written on Windows end their lines, and so their values, in carriage returns.
    sed --in-place 's/\r$//' "${folder}/env"
    install --owner="${AGENT_USER}" --group="${AGENT_USER}" --mode=0400 \
      "${folder}/env" "${QUEUE_ENV}"
    rm --recursive --force "${folder}"
    check_queue_env "s3://${bucket}/${key}"
    log "jobs get the variables in s3://${bucket}/${key}"
  fi
  export_queue_env_in_hook
}

# check_queue_env URL: run the queue's file once, as jobs will, and refuse one that fails. Nothing of what
# it or bash prints is shown, as it may have secrets in it: only the number of a line.
check_queue_env() {
  local line
  line=$({ bash -n "${QUEUE_ENV}" 2>&1 || true; } |
    sed --quiet '1s/^.*: line \([0-9]*\):.*$/\1/p')
  if [[ -z ${line} ]]; then
    # Inside the file BASH_SOURCE has an entry. At its end, the status of its last line is no failure.
    # shellcheck disable=SC2016 # expanded by the bash that runs it
    # shellcheck disable=SC2310 # its status says nothing that its output does not
    line=$(as_agent bash -c '
      exec 3>&1 >/dev/null 2>&1
      set -E
      trap "if ((\${#BASH_SOURCE[@]} > 0)); then printf %s \"\$LINENO\" >&3; exit; fi" ERR
      . "$0"
      printf whole >&3' "${QUEUE_ENV}") || true
  fi
  if [[ ${line} == whole ]]; then
    return 0
  fi
  rm --force "${QUEUE_ENV}"
  if [[ -z ${line} ]]; then
    log "$1 ends before its last line, by exit or the like: correct it and upload it again"
  else
    log "$1 fails in line ${line}: correct it and upload it again"
  fi
  return 1
}

# Have each job's environment hook export the variables of the queue's file.
export_queue_env_in_hook() {
  local line=". ${QUEUE_HOOK}"
  write_file 0644 "${QUEUE_HOOK}" <<'HOOK'
# Exports the variables of the queue's env file, and has the agent redact them in job logs.
# The file runs in a process of its own: nothing in it can end or alter the hook that sources this,
# which runs under `set -Eeuo pipefail`, nor print anything.
if [[ -r ~/queue-env ]]; then
  BUILDKITE_REDACTED_VARS=${BUILDKITE_REDACTED_VARS:-*_PASSWORD,*_SECRET,*_TOKEN,*_PRIVATE_KEY,*_ACCESS_KEY,*_SECRET_KEY,*_CONNECTION_STRING}
  while IFS= read -r -d '' queue_variable; do
    queue_name=${queue_variable%%=*}
    case ${queue_name} in
    '' | _ | PWD | OLDPWD | SHLVL | SHELLOPTS | BASHOPTS | [0-9]* | *[!A-Za-z0-9_]*) ;;
    *)
      if [[ ${!queue_name-} != "${queue_variable#*=}" ]]; then
        export "${queue_variable?}" || :
        BUILDKITE_REDACTED_VARS+=,${queue_name}
      fi
      ;;
    esac
  done < <(bash -c 'exec 3>&1 >/dev/null 2>&1
    trap "/usr/bin/env --null >&3" EXIT
    . ~/queue-env
    /usr/bin/env --null >&3' || :)
  export BUILDKITE_REDACTED_VARS
  unset queue_variable queue_name
fi
HOOK
  if ! grep --quiet --fixed-strings --line-regexp "${line}" "${AGENT_HOOK}"; then
    printf '%s\n' "${line}" >>"${AGENT_HOOK}"
  fi
}

# write_file MODE PATH: have PATH hold standard input.
write_file() {
  install -D --mode="$1" /dev/stdin "$2"
}

main "$@" </dev/null
