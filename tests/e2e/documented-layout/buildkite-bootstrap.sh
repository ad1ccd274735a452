#!/bin/bash
set -e
dnf install -y cmake gcc gcc-c++ make ninja-build python3 python3-pip docker
