# One machine: docker build -t nars . && docker run --rm --shm-size 2g -v "$PWD/runs:/nars/runs" nars run configs/digits.yaml
# With NVIDIA's container toolkit add --gpus all; torch's wheels bring CUDA. Another base that has apt will do as well:
# docker build --build-arg BASE=nvidia/cuda:12.8.1-base-ubuntu24.04 -t nars .
ARG BASE=python:3.12-slim
FROM ${BASE}

# libgomp1: LightGBM. A base without Python 3.11 or newer gets the distribution's.
RUN apt-get update && \
    apt-get install -y --no-install-recommends make libgomp1 && \
    { command -v python3 || apt-get install -y --no-install-recommends python3 python3-venv; } && \
    rm -rf /var/lib/apt/lists/*

WORKDIR /nars
COPY Makefile README.md pyproject.toml requirements.lock ./
RUN make .venv

COPY . .
VOLUME /nars/runs
ENTRYPOINT [".venv/bin/python", "-m", "search"]
CMD ["--help"]
