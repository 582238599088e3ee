# Two stages: the first installs the package and what requirements.lock pins, the second copies the result.
# On a machine without a GPU, `--build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu` saves gigabytes.
FROM python:3.11.14-slim-bookworm AS build

ARG TORCH_INDEX=https://pypi.org/simple
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1

WORKDIR /build
RUN python -m venv /opt/finetune_alf
ENV PATH=/opt/finetune_alf/bin:$PATH

# pyproject.toml names what to install, requirements.lock the versions. The image has no test tools.
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip install --constraint requirements.lock --extra-index-url "$TORCH_INDEX" hatchling \
    && PIP_CONSTRAINT=/build/requirements.lock pip install --no-build-isolation --extra-index-url "$TORCH_INDEX" ".[pipeline,offline]"

FROM python:3.11.14-slim-bookworm

RUN useradd --create-home --uid 10001 alf \
    && mkdir /project \
    && chown alf:alf /project
COPY --from=build /opt/finetune_alf /opt/finetune_alf
ENV PATH=/opt/finetune_alf/bin:$PATH \
    DO_NOT_TRACK=1 \
    DVC_NO_ANALYTICS=1 \
    HF_HUB_DISABLE_TELEMETRY=1 \
    MLFLOW_DISABLE_TELEMETRY=true \
    PYTHONUNBUFFERED=1

USER alf
WORKDIR /project
# docker run --rm -v "$PWD:/project" finetune-alf run
ENTRYPOINT ["finetune-alf"]
CMD ["--help"]
