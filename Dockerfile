# syntax=docker/dockerfile:1
# One image for all roles: docker build -t antiphon:0.1.0 .
#   docker run --rm --volume antiphon:/data antiphon:0.1.0 launch --root_dir=/data/run
# The build ends with the doctor: an image that exists has passed. See docs/clusters.md.
FROM python:3.10-slim-bookworm

# Process 1 has to pass on signals and to bury the dead; and a role that is process 1 in
# two containers is taken by Reverb for one process.
RUN apt-get update \
  && apt-get install --no-install-recommends -y tini \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 1000 --create-home antiphon \
  && install --directory --owner=antiphon --group=antiphon \
    /antiphon /data /home/antiphon/.cache

USER 1000:1000
WORKDIR /antiphon

# The downloads are kept between builds; the set-up is that of any checkout.
COPY --chown=antiphon:antiphon . .
RUN --mount=type=cache,target=/home/antiphon/.cache/pip,uid=1000,gid=1000 \
  ANTIPHON_PYTHON=/usr/local/bin/python3.10 launch/setup.sh
RUN .venv/bin/python -m launch.doctor --no_benchmark --root_dir=/data/doctor

ENTRYPOINT ["tini", "--", ".venv/bin/python", "launch/run_module.py"]
CMD ["launch", "--help"]
