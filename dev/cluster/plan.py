"""Which hosts there are, and where they are reached."""

import ipaddress

NETWORK = ipaddress.ip_network("10.77.0.0/24")
# Each has etcd, PostgreSQL under Patroni, and a node of RabbitMQ.
DATABASES = ("db1", "db2", "db3")
# Each has the core with relay, worker and housekeeper, and statistics with consumer.
APPLICATIONS = ("app1", "app2")
GATEWAY = "gateway"
HOSTS = (*DATABASES, *APPLICATIONS, GATEWAY)
# The machine that all of them are on: the load comes from there, and the AWS emulator is there.
OUTSIDE = "outside"

DATABASE, AMQP, AWS, CORE, STATS, PATRONI, ETCD = 5432, 5672, 4566, 8000, 8001, 8008, 2379
PUBLIC_URL = f"http://{GATEWAY}"


def address(host: str) -> str:
    """Its IP."""
    return str(NETWORK[1 + (OUTSIDE, *HOSTS).index(host)])


def hosts_file() -> str:
    """What /etc/hosts says on each of them."""
    lines = [f"{address(host)} {host}" for host in (OUTSIDE, *HOSTS)]
    return "\n".join(["127.0.0.1 localhost", *lines, ""])


def database_url(password: str) -> str:
    """Whichever of them takes writes, found within seconds though one may be silent."""
    hosts = ",".join(f"{host}:{DATABASE}" for host in DATABASES)
    # A host that has lost its network refuses nobody: it is given up.
    patience = "connect_timeout=2&tcp_user_timeout=2000&keepalives_idle=2&keepalives_interval=1"
    return (
        f"postgresql://innotter:{password}@{hosts}/innotter"
        f"?target_session_attrs=read-write&{patience}"
    )


def replica_urls(password: str) -> str:
    """Each of them: which one is the primary changes."""
    return ",".join(
        f"postgresql://innotter:{password}@{host}:{DATABASE}/innotter" for host in DATABASES
    )


def amqp_url(password: str) -> str:
    """All nodes, in the order in which they are tried."""
    return ",".join(f"amqp://innotter:{password}@{host}:{AMQP}/%2F" for host in DATABASES)


def upstreams(port: int) -> str:
    """The same service on each of the application's hosts, as Caddy lists them."""
    return " ".join(f"{host}:{port}" for host in APPLICATIONS)
