FROM python:3.11-slim

# bubblewrap is the sandbox that tests run in; git and ssh reach the repository; the embedded model needs libgomp.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends bubblewrap ca-certificates git libgomp1 openssh-client \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 1000 --user-group --create-home --shell /usr/sbin/nologin ai-agents \
 && install --directory --owner=ai-agents --group=ai-agents \
      /workspace /app/data /app/logs /var/cache/ai-agents

# Outside /usr, so that the sandbox, which shows /usr to the code under test, does not show the daemon's libraries.
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    AI_AGENTS_FILE_SYSTEM__WORKSPACE_PATH=/workspace \
    AI_AGENTS_CACHE=/var/cache/ai-agents

WORKDIR /app
COPY requirements.lock .
RUN pip install --no-cache-dir --disable-pip-version-check -r requirements.lock

# The code belongs to root: the daemon can run it and not change it. Compiled here, since it cannot do that later;
# readable by all, since a checkout made with umask 077 is not.
COPY . .
RUN python -m compileall -q . && chmod -R a+rX .

USER ai-agents

# Healthy: the daemon holds its lock. The first minutes may go into fetching the model.
HEALTHCHECK --interval=60s --timeout=20s --start-period=15m --retries=3 \
    CMD python deployment/healthcheck.py

CMD ["python", "main.py"]
