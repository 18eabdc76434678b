"""What a kill costs on several machines: `python -m benchmarks.cluster`.

The services of `docker-compose.yml` with its profile `celery` run here without Docker: their commands and variables are
read from that file, each in namespaces of its own (a host name, process ids), so that SIGKILL takes all of a container,
as it does with Docker. Three nodes of Elasticsearch, PostgreSQL and the broker are real. Papers publish all the time,
and one part after another is killed. Ends with 1 if an article or a mail is lost, or a mail comes twice.

It needs Linux, root, PostgreSQL and Valkey or Redis (`apt-get install postgresql redis-server`).

| module | what it does |
|---|---|
| `compose.py` | reads services from `docker-compose.yml`. Pure |
| `outside.py` | papers that publish all the time, and the mail server |
| `containers.py` | a service as a process in namespaces, started again when it ends |
| `installation.py` | all services and the nodes of Elasticsearch |
| `kills.py` | the table of what is killed, and how long each stays away |
| `ledger.py` | compares what was published with what was mailed. Pure |
"""
