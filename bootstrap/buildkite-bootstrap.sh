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
  export HOME="${HOME:-/root}"

  required "build tools" install_packages "${BUILD_TOOLS[@]}"
  required "Python" install_packages "${PYTHON[@]}"
  optional "libraries for Arrow" install_packages "${ARROW_LIBRARIES[@]}"
  required "Miniconda" install_conda
  required "Docker" ensure_docker
  required "git configuration" configure_git
  required "file limits" raise_file_limits
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

# retry COMMAND...: try it three times, each for no more than two minutes.
retry() {
  local attempt
  for attempt in 1 2 3; do
    if timeout 120 "$@"; then
      return 0
    fi
    log "attempt ${attempt} of 3 failed: $1"
    if ((attempt < 3)); then
      sleep $((attempt * 5))
    fi
  done
  return 1
}

install_packages() {
  local package missing=()
  for package in "$@"; do
    if ! rpm --quiet --query "${package}"; then
      missing+=("${package}")
    fi
  done
  if ((${#missing[@]} > 0)); then
    # --allowerasing: the image has curl's and openssl's minimal forms, which the full ones replace.
    retry dnf install --assumeyes --quiet --allowerasing "${missing[@]}"
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
    chown --recursive "${AGENT_USER}:" "${CONDA_HOME}"
    touch "${complete}"
  fi
  # Jobs run in shells that read no profile, so that a profile's script is not enough.
  ln --symbolic --force "${CONDA_HOME}/bin/conda" /usr/local/bin/conda
  ln --symbolic --force "${CONDA_HOME}/etc/profile.d/conda.sh" /etc/profile.d/conda.sh
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
  # The agent is a systemd service, which /etc/security/limits.conf does not reach.
  write_file 0644 /etc/systemd/system/buildkite-agent.service.d/limits.conf <<'LIMITS'
[Service]
LimitNOFILE=1048576
LimitNPROC=infinity
LIMITS
  systemctl daemon-reload
}

tune_network() {
  write_file 0644 /etc/sysctl.d/90-benchmarks.conf <<'SYSCTL'
net.core.rmem_max = 16777216
net.core.somaxconn = 4096
net.core.wmem_max = 16777216
net.ipv4.tcp_rmem = 4096 131072 16777216
net.ipv4.tcp_wmem = 4096 65536 16777216
SYSCTL
  sysctl --quiet --load=/etc/sysctl.d/90-benchmarks.conf
}

fetch_queue_env() {
  local key="queues/${BUILDKITE_QUEUE:?}/env" bucket="${BUILDKITE_SECRETS_BUCKET:?}"
  local region="${BUILDKITE_SECRETS_BUCKET_REGION:-${AWS_REGION:-}}" found folder
  local options=(--no-cli-pager)
  if [[ -n ${region} ]]; then
    options+=(--region "${region}")
  fi
  # A listing tells a key that is not there from one that cannot be read.
  found=$(retry aws s3api list-objects-v2 "${options[@]}" --bucket "${bucket}" \
    --prefix "${key}" --query "length(Contents[?Key=='${key}'] || \`[]\`)" --output text)
  if [[ ${found} == 0 ]]; then
    log "no s3://${bucket}/${key}: jobs get no environment of their own"
    rm --force "${AGENT_HOME}/queue-env"
  else
    folder=$(mktemp --directory)
    retry aws s3 cp "${options[@]}" --only-show-errors "s3://${bucket}/${key}" "${folder}/env"
    if ! bash -n "${folder}/env" 2>/dev/null; then
      log "s3://${bucket}/${key} is not a shell script that bash can read: mend and upload it again"
      return 1
    fi
    install --owner="${AGENT_USER}" --group="${AGENT_USER}" --mode=0400 \
      "${folder}/env" "${AGENT_HOME}/queue-env"
    rm --recursive --force "${folder}"
    log "jobs get the environment in s3://${bucket}/${key}"
  fi
  source_in_hook
}

# Each job's environment hook sources the queue's env file, where there is one.
source_in_hook() {
  local line="if [ -r ${AGENT_HOME}/queue-env ]; then . ${AGENT_HOME}/queue-env; fi"
  if ! grep --quiet --fixed-strings --line-regexp "${line}" "${AGENT_HOOK}"; then
    printf '%s\n' "${line}" >>"${AGENT_HOOK}"
  fi
}

# write_file MODE PATH: have PATH hold standard input.
write_file() {
  install -D --mode="$1" /dev/stdin "$2"
}

main "$@" </dev/null
