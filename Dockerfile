# docker build -t ai-agents .        Run it by docker-compose.yml, which has what the sandbox needs: docs/DEPLOYMENT.md
# For builds that can be repeated, pin the images:  --build-arg PYTHON_IMAGE=python:3.11-slim@sha256:…
ARG PYTHON_IMAGE=python:3.11-slim
ARG NODE_IMAGE=node:22-slim

FROM ${NODE_IMAGE} AS node

FROM ${PYTHON_IMAGE} AS build
# Outside /usr, so that the sandbox, which shows /usr to the code under test, does not show the daemon's libraries.
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /app
COPY requirements.lock .
RUN pip install --no-cache-dir --disable-pip-version-check -r requirements.lock
# The code belongs to root: the daemon can run it and not change it. Compiled here, since it cannot do that later;
# readable by all, since a checkout made with umask 077 is not.
COPY . .
RUN python -m compileall -q --invalidation-mode unchecked-hash . && chmod -R a+rX .

FROM ${PYTHON_IMAGE}
ARG PYTHON_IMAGE
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="AI Agents" \
      org.opencontainers.image.description="An autonomous software team as a daemon" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"

# bubblewrap is the sandbox that tests run in; git and ssh reach the repository; the embedded model needs libgomp.
# hadolint ignore=DL3008  # the pinned image fixes the release; its security fixes are wanted
RUN apt-get update \
 && apt-get install --yes --no-install-recommends bubblewrap ca-certificates git libgomp1 openssh-client \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 1000 --user-group --create-home --shell /usr/sbin/nologin ai-agents

# For JavaScript. Below /usr, where the sandbox sees it; npm's own commands are links.
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules/npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
 && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx \
 && node --version && npm --version

COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    AI_AGENTS_FILE_SYSTEM__WORKSPACE_PATH=/workspace \
    AI_AGENTS_API__HOST=0.0.0.0 \
    AI_AGENTS_CACHE=/var/cache/ai-agents
WORKDIR /app
RUN install --directory --owner=ai-agents --group=ai-agents /workspace /app/data /app/logs /var/cache/ai-agents

# The control room. Who may reach it is decided where the port is published.
EXPOSE 8137

# ai-agents, by number: Kubernetes and others then see that it is not root.
USER 1000:1000

# Healthy: the daemon holds its lock. The first minutes may go into fetching the model.
HEALTHCHECK --interval=60s --timeout=20s --start-period=15m --retries=3 \
    CMD ["python", "-I", "-S", "/app/deployment/healthcheck.py", "/app/data"]

# The daemon; another command stands in for `run`: docker run ai-agents doctor
ENTRYPOINT ["python", "/app/main.py"]
CMD ["run"]
