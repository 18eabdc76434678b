"""Parameters of addresses that track readers and never distinguish pages. Data and two questions. Pure."""

from __future__ import annotations

from typing import Final

# fmt: off
_TRACKING_NAMES: Final = frozenset(
    {
        "fbclid", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "msclkid", "yclid", "ysclid", "twclid",
        "ttclid", "igshid", "igsh", "mc_cid", "mc_eid", "mkt_tok", "_hsenc", "_hsmi", "__hstc", "__hssc",
        "__hsfp", "hsctatracking", "vero_id", "vero_conv", "oly_anon_id", "oly_enc_id", "wickedid", "s_cid",
        "_openstat", "rb_clickid", "ml_subscriber", "ml_subscriber_hash", "guccounter", "guce_referrer",
        "guce_referrer_sig", "xtor", "cmpid", "ocid", "ns_campaign", "ns_mchannel", "ns_source", "ns_linkname",
        "ns_fee", "at_medium", "at_campaign", "at_custom1", "at_custom2", "at_custom3", "at_custom4",
        "at_link_id", "at_link_origin", "at_link_type", "at_ptr_name", "at_format", "at_bbc_team", "phpsessid",
        "jsessionid", "aspsessionid", "sessionid",
    }
)
_LATER_TRACKING_NAMES: Final = frozenset(
    {
        "srsltid", "gad", "_gl", "_ga", "_gac", "fb_action_ids", "fb_action_types", "fb_ref", "fb_source",
        "fb_comment_id", "__twitter_impression", "li_fat_id", "rdt_cid", "qclid", "epik", "sccid", "tblci", "dicbo",
        "irclickid", "syclid", "ymclid", "ef_id", "s_kwcid", "dm_i", "mc_tc", "_ke", "_kx", "__s", "bsft_clkid",
        "bsft_uid", "ss_email_id", "vgo_ee", "unicorn_click_id", "_bhlid", "_branch_match_id", "_branch_referrer",
        "__readwiselocation", "nr_email_referer",
    }
)
"""Names added when articles were already known by addresses with such parameters: see `ingest.urls.former_url`. Add
new ones here."""
# fmt: on
_LATER_TRACKING_PREFIXES: Final = ("gad_",)
_TRACKING_PREFIXES: Final = (
    "utm_",
    "pk_",
    "mtm_",
    "matomo_",
    "piwik_",
    "itm_",
    "hsa_",
    "stm_",
    "sc_cid",
    "wt.mc_",
    "wt_mc",
)


def is_tracking(name: str) -> bool:
    """Whether the parameter of that name tracks."""
    lower = name.lower()
    later = lower in _LATER_TRACKING_NAMES or lower.startswith(_LATER_TRACKING_PREFIXES)
    return later or was_tracking(lower)


def was_tracking(name: str) -> bool:
    """Whether the parameter was known to track from the beginning."""
    lower = name.lower()
    return lower in _TRACKING_NAMES or lower.startswith(_TRACKING_PREFIXES)
