# SPDX-License-Identifier: BSD-2-Clause
"""delivery.py - a mail system whose every decision comes from our tables: its settings, the tables'
sources and the messages for it.

A flow is one use of a table on a message's way: each recipient FLOW-KIND-NUMBER@... arrives in the
mailbox of its flow only when the table of its KIND has answered. What no table has told where to
go arrives in `lost`.
"""

BUILT = ("hash", "btree", "lmdb", "cdb")
PATTERNS = ("regexp", "pcre")
KEYED = BUILT + PATTERNS  # for every use; cidr is for addresses of clients
CLIENTS = ("127.0.0.1", "::1")

DOMAIN = {"alias": "mail.example", "virtual": "virtual.example",
          "canonical": "canonical.example", "transport": "transport.example",
          "relay": "relay.example"}
FLOWS = tuple(DOMAIN)

MAIN_CF = """
inet_interfaces = loopback-only
inet_protocols = all
in_flow_delay = 0
smtp_host_lookup = native
smtp_dns_support_level = disabled
mydestination = mail.example
alias_database =
alias_maps = {maps:alias}
virtual_alias_domains = virtual.example
virtual_alias_maps = {maps:virtual}
recipient_canonical_maps = {maps:canonical}
transport_maps = {maps:transport}
virtual_mailbox_domains = box.example
virtual_transport = box:
default_transport = lost:
relay_transport = lost:
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
virtual_minimum_uid = 1
mynetworks = cidr:{home}/tables/cidr/networks
smtpd_discard_ehlo_keyword_address_maps = cidr:{home}/tables/cidr/keywords
smtpd_client_restrictions = {clients}
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_restrictions = {recipients}, permit_mynetworks, reject
header_checks = {checks:header}
body_checks = {checks:body}
# Whom no policy excepts must be sent to with TLS, which the receiving side has not.
smtp_tls_security_level = encrypt
"""

MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
[::1]:{port} inet n - n - - smtpd
rewrite unix - - n - - trivial-rewrite
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
local unix - n n - - local
postlog unix-dgram n - n - 1 postlogd
"""

# The far side of the flow `relay`: what it gets is not routed again.
FAR_SIDE_CF = """
{host}:{port} inet n - n - - smtpd
  -o myhostname=far.example
  -o smtpd_client_restrictions=
  -o smtpd_relay_restrictions=permit_mynetworks,reject
  -o smtpd_recipient_restrictions=permit_mynetworks,reject
  -o receive_override_options=no_address_mappings
  -o content_filter=far:
"""


def boxes():
    """@return the names of all mailboxes"""
    return ["box", "lost", "far", *(f"store-{kind}" for kind in KEYED)]


def main_cf(uid):
    def listed(use, kinds=KEYED):
        return ", ".join(f"{kind}:{{home}}/tables/{kind}/{use}" for kind in kinds)

    def checked(what, kinds):
        return ", ".join(f"check_{what}_access {kind}:{{home}}/tables/{kind}/{what}"
                         for kind in kinds)

    text = MAIN_CF.replace("{uid}", str(uid))
    for flow in FLOWS:
        text = text.replace(f"{{maps:{flow}}}", listed(flow))
    for part in ("header", "body"):
        text = text.replace(f"{{checks:{part}}}", listed(part, PATTERNS))
    return text.replace("{clients}", checked("client", (*KEYED, "cidr"))) \
        .replace("{recipients}", checked("recipient", KEYED))


def master_cf(port, far_port):
    text = MASTER_CF.replace("{port}", str(port))
    for host in ("127.0.0.1", "[::1]"):
        text += FAR_SIDE_CF.replace("{host}", host).replace("{port}", str(far_port))
    for box in boxes():
        text += f"{box} unix - n n - - virtual -o virtual_mailbox_base={{home}}/mail/{box}\n"
    for kind in KEYED:
        text += f"relay-{kind} unix - - n - - smtp\n" \
                f"  -o smtp_tls_policy_maps={kind}:{{home}}/tables/{kind}/policy\n"
    return text


class Letter:
    """A message, and where it must arrive."""

    def __init__(self, flow, kind, number):
        self.name = f"{flow}-{kind}-{number}"
        self.flow, self.kind, self.number = flow, kind, number
        self.recipient = f"{self.name}@{DOMAIN[flow]}"
        in_box = flow in ("alias", "virtual", "canonical")
        self.arrives_for = f"{self.name}@box.example" if in_box else self.recipient
        self.box = "box" if in_box else "far" if flow == "relay" else f"store-{kind}"
        self.client = CLIENTS[number % 2]

    def text(self):
        return "".join(f"{line}\r\n" for line in [
            f"Subject: {self.name}", f"To: <{self.recipient}>",
            *(f"X-Token-{kind}: {self.number}" for kind in PATTERNS), "",
            *(f"token {kind} {self.number}" for kind in PATTERNS)])


def letters(count):
    return [Letter(flow, kind, number)
            for number in range(count) for flow in FLOWS for kind in KEYED]


def refused(kind):
    return f"refused-{kind}@virtual.example"


def entries(use, kind, count, far_port, generation):
    """@return pairs of key and value, of which some tell the generation"""
    own = [Letter(use, kind, number) for number in range(count)] if use in DOMAIN else []
    if use == "alias":
        return [(letter.name, letter.arrives_for) for letter in own]
    if use in ("virtual", "canonical"):
        return [(letter.recipient, letter.arrives_for) for letter in own]
    if use == "transport":
        hops = [f"[{client}]:{far_port}" for client in CLIENTS]
        return [(letter.recipient, f"store-{kind}:") for letter in own] + \
            [(letter.recipient, f"relay-{kind}:{hops[letter.number % 2]}")
             for letter in (Letter("relay", kind, number) for number in range(count))]
    if use == "policy":
        return [(f"[{client}]:{far_port}", "none") for client in CLIENTS]
    if use == "client":
        return [(client, f"PREPEND X-Client-{kind}: {client} generation {generation}")
                for client in CLIENTS]
    return [(letter.recipient,
             f"PREPEND X-Recipient-{kind}: {letter.recipient} generation {generation}")
            for letter in letters(count)] + \
        [(refused(kind), f"REJECT {kind} generation {generation}")]


BUILT_USES = ("alias", "virtual", "canonical", "transport", "policy", "client", "recipient")


def source(use, kind, *about):
    """@return the text of a table of a type that is built, which changes with the generation"""
    colon = ":" if use == "alias" else ""
    generation = about[-1]
    return f"generation-{generation}{colon} {generation}\n" + "".join(
        f"{key}{colon} {value}\n" for key, value in entries(use, kind, *about))


def escaped(key):
    return "".join(f"\\{c}" if c in ".[]" else c for c in key)


def rules(use, kind, *about):
    """@return the text of a table of patterns"""
    if use == "header":
        return f"/^X-Token-{kind}: ([0-9]+)$/ REPLACE X-Seen-{kind}: <$1>\n" \
               f"/^X-Refuse: {kind}$/ REJECT header {kind}\n"
    if use == "body":
        return f"/^token {kind} ([0-9]+)$/ REPLACE seen {kind} <$1>\n" \
               f"/^refuse {kind}$/ REJECT body {kind}\n"
    return "".join(f"/^{escaped(key)}$/ {value}\n" for key, value in entries(use, kind, *about))


NETWORKS = {
    "networks": "127.0.0.0/8 yes\n::1/128 yes\n",
    "keywords": "127.0.0.1 etrn\n::1/128 vrfy\n",
    "client": "".join(f"{network} PREPEND X-Client-cidr: {client} generation 0\n"
                      for network, client in (("127.0.0.0/30", "127.0.0.1"), ("::/120", "::1"))),
}
