"""What Flask reads for Airflow's FAB auth manager (`AIRFLOW__FAB__CONFIG_FILE`): the variables SSO_… as its settings.

A wrong variable ends the web server with a sentence on it, before anybody could log in.
"""

from airflow.configuration import conf

from newswatch.sign_on import SECONDS, SignOn
from web.sign_on_manager import SETTING, SignOnManager

_SIGN_ON = SignOn.read()
if _SIGN_ON.kind == "ldap":
    import ldap

    # FAB waits for ever.
    ldap.set_option(ldap.OPT_NETWORK_TIMEOUT, SECONDS)
    ldap.set_option(ldap.OPT_TIMEOUT, SECONDS)

_FLASK = _SIGN_ON.flask(conf.get("api", "base_url", fallback=""))
globals().update(_FLASK, SECURITY_MANAGER_CLASS=SignOnManager, **{SETTING: _SIGN_ON})
