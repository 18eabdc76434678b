"""Recognises pages that are served in place of an article: consent walls, paywalls, bot checks, empty shells.

A page is a wall only if it combines several signs that no article has: it mentions its own cookies, addresses the
reader and names the buttons. One word decides nothing, because articles are written about consent, captchas and
subscribers. If most of the text has no such sign, it is prose, and is kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from newswatch.article import TextStatus

SHELL_CHARS: Final = 80
"""Shorter texts are not articles. CJK characters count three times (see `_weight`)."""
WALL_CHARS: Final = 1_500
"""A longer text is an article, whatever surrounds it."""
PAID_SHARE: Final = 0.6
"""Minimum share of the words that a page says it has; with less, the rest is behind the wall."""
PROSE_SHARE: Final = 0.4
"""Minimum share of a text in lines without a sign of a wall; then it is an article."""
PAID_CHARS: Final = 700
"""A longer text is more than a beginning, unless the page says that it is paid."""
BOX_CHARS: Final = 500
"""Maximum characters between the signs of one paywall."""
TRACE_CHARS: Final = 2_500
"""Maximum characters of a blocker's page."""
NUMBERED_CHARS: Final = 1_000
"""Maximum characters of a blocker's page with the number of the request."""
MAX_BOXES: Final = 20
"""Maximum number of gates that are examined; a page with more is a list of teasers."""
CHROME_CHARS: Final = 8_000
"""A page with more visible text is not a wall."""


def _signs(pattern: str) -> re.Pattern[str]:
    return re.compile("|".join(pattern.split("\n")[1:-1]), re.IGNORECASE)


_CONSENT: Final[Mapping[str, re.Pattern[str]]] = {
    "topic": _signs(r"""
cookies?\b|cookie-|tracking|personali[sz]ed (?:ads|advertising|content)|information on (?:a|your) device
privacy (?:policy|settings|choices|notice|preferences)|your privacy|data protection (?:policy|notice)|gdpr
legitimate interest
datenschutz(?:erklärung|hinweis|einstellung|bestimmung)|mit werbung|werbung und tracking
personalisierte (?:werbung|anzeigen)|dsgvo
politique de confidentialité|vos données|données personnelles|publicités? personnalisée|traceurs
política de privacidad|publicidad personalizada|tus datos|sus datos|informativa sulla privacy
pubblicità personalizzata
política de privacidade|publicidade personalizada|seus dados|privacybeleid|privacyverklaring|gepersonaliseerde
polityk[aąęi] prywatności|plik(?:i|ów|ach) cookie|danych osobowych|ochran[ay] osobních údajů|soubor[yůe]+ cookie
integritetspolicy|personvern|privatlivspolitik|kakor|evästei|tietosuoja|файл\w* cookie|файл\w* куки|персональн\w+ данн
політик\w+ конфіденційності|политик\w+ конфиденциальности|çerez|gizlilik politika|kişisel veri
politica de confidențialitate
πολιτική απορρήτου|ملفات تعريف الارتباط|سياسة الخصوصية|隐私政策|隱私(?:權)?政策|プライバシーポリシー|クッキー|쿠키
개인정보
"""),
    "address": _signs(r"""
\bwe (?:and|use|value|need|would|respect|care|process|store|and our)\b
\bour (?:\d+ )?(?:partners|site|website|cookie|privacy|vendors)
\byou can (?:change|withdraw|manage|choose|also)|before you continue
\byour (?:consent|choices?|device|preferences|data|privacy)
\bwir (?:und|verwenden|nutzen|brauchen|benötigen|verarbeiten)\b|unsere[nr]? (?:\d+ )?partner
\bIhre? (?:zustimmung|einwilligung|daten|privatsphäre)
sie können|besuchen sie|\bnous (?:et|utilisons|respectons)\b|nos (?:\d+ )?partenaires|vous pouvez
votre (?:consentement|choix|vie privée|appareil)
nosotros y|nuestros (?:\d+ )?(?:socios|proveedores)|puedes|puede (?:aceptar|cambiar|retirar|configurar)|utilizamos
(?:tu|su) (?:consentimiento|privacidad)
\bnoi e\b|nostri (?:\d+ )?partner|puoi|utilizziamo|(?:il )?tuo consenso|la tua privacy|nossos (?:\d+ )?parceiros
você pode|sua privacidade|nós e
\bwij en\b|onze (?:\d+ )?partners|gebruiken wij|wij gebruiken|je kunt|u kunt|(?:jouw|uw) (?:toestemming|privacy|keuze)
\bmy i\b|nas(?:i|zych|i) (?:\d+ )?(?:zaufan\w+ )?partner|możesz|używamy|twoj(?:ą|a|e|ej) (?:zgod|prywatno|dane)
naši partneři|používáme|váš souhlas|můžete
vi och våra|våra partner|vi använder|du kan|ditt samtycke|vi og våre|vi bruger|vi bruker|våre partnere|vores partnere
dit samtykke|ditt samtykke
me ja kumppanimme|käytämme|voit|мы (?:и наши|используем)|наш(?:и|ем|его) (?:партн|сайт)|вы можете
ваш(?:е|их|и) (?:согласи|данн)|ми (?:та наші|використовуємо)|ваш[аіу] згод
sitemiz|kullanıyoruz|iş ortaklarımız|verileriniz|onayınız|noi și partenerii|folosim|χρησιμοποιούμε|οι συνεργάτες μας
نحن وشركاؤنا|نستخدم
我们(?:和|使用|及)|您(?:的|可以)|本(?:网站|網站|站)|我們(?:和|使用)|当(?:社|サイト)|お客様|あなたの|당사|저희|귀하
"""),
    "button": _signs(r"""
(?:accept|reject|allow|decline|deny|agree to) (?:all|cookies)
manage (?:options|preferences|settings|cookies|choices|your consent|consent)
(?:cookie|privacy|consent) (?:settings|preferences)|\bI (?:agree|accept)\b|agree and (?:close|continue)
continue without|more options|save (?:settings|preferences|choices)
alle[ns]? (?:akzeptieren|ablehnen|zustimmen)|akzeptieren und|zustimmen und|einwilligen|mit werbung weiter
einstellungen (?:verwalten|anpassen)|ablehnen|akzeptieren
(?:tout|tous) (?:accepter|refuser)|accepter et|continuer sans accepter|paramétrer
gérer (?:mes|les|vos) (?:choix|préférences|cookies)|j.accepte
(?:aceptar|rechazar) (?:todo|todas|y continuar|cookies|y)|configurar|gestionar (?:opciones|cookies|preferencias)
aceptar
accett(?:a|are) (?:tutto|tutti|e continua|i cookie)|rifiuta|gestisci|continua senza accettare|aceitar (?:tudo|todos|e)
rejeitar|gerir (?:opções|cookies)|gerenciar
alles? (?:accepteren|weigeren)|accepteren|akkoord|instellingen (?:beheren|aanpassen)|zgadzam się|akceptuj|odrzuć
ustawienia|przejdź do serwisu|zaakceptuj
souhlasím|přijmout|odmítnout|nastavení|godkänn|acceptera|avvisa|godta|godkend|accepter alle|afvis|avvis|hyväksy|hylkää
asetukset
принять|отклонить|соглас(?:ен|иться)|настро(?:йки|ить)|прийняти|погоджуюсь|відхилити|kabul et|reddet|tercihleri
accept(?:ă|ați)? toate|respinge|αποδοχή|συμφωνώ
قبول|موافق|رفض|接受|全部同意|拒绝|拒絕|同意(?:并|並|する|して|します)|すべて(?:受け入れ|許可|同意)|拒否
모두 (?:동의|허용|수락)|동의(?:함|합니다)|거부
"""),
}  # fmt: skip
"""Three kinds of signs; a consent wall has all of them."""

_BOT_TITLE: Final = re.compile(
    r"^\W*(?:just a moment|attention required|access (?:to this page has been )?denied|are you a robot|captcha"
    r"|security check|(?:human|bot|robot) (?:check|verification)|pardon our interruption|one more step|please wait"
    r"|verif\w+|403 forbidden|forbidden|ddos.guard|unusual traffic|request unsuccessful|(?:nur |einen |ein )+moment"
    r"|un (?:instant|momento|attimo)|um momento|solo un momento|even geduld|cierpliwości|один момент|подождите"
    r"|bir dakika lütfen|请稍候|請稍候|しばらくお待ちください|잠시만 기다리십시오"
    r"|(?:sorry,? )?you have been blocked|blocked)"
    r"\W*(?:\|.{0,40}|- cloudflare.*)?$",
    re.IGNORECASE,
)
"""A title that says only that; a headline continues."""
_BOT: Final[Mapping[str, re.Pattern[str]]] = {
    "browser": _signs(r"""
checking (?:your|the|if the site) \w+|your (?:web )?browser|enable javascript|javascript is disabled
security of your connection|the security of the connection
javascript (?:and cookies )?(?:is|are|to|aktivieren)|enable (?:js|cookies)
(?:ihr|dein|ihren) browser|votre navigateur|tu navegador|su navegador|twoj\w+ przeglądark|ваш\w* браузер|tarayıcınız
浏览器|ブラウザ
"""),
    "human": _signs(r"""
you (?:are|.re) (?:a )?(?:human|not a (?:robot|bot))|are you a (?:robot|human)|captcha|prove (?:that )?you|not a robot
verify(?:ing)? (?:that )?you|you (?:are|were) (?:a |using )?(?:bot|robot|automat)|using automation tools|human \(and not
unusual (?:traffic|activity) from your|you look like a robot|kein(?:en)? (?:robot|bot)|sie ein mensch|pas un robot
no eres un robot|не робот|robot olmadığınız|ロボットではない|不是机器人|验证码
"""),
    "refusal": _signs(r"""
you (?:don.t|do not) have permission|access (?:to this page has been |to this resource |is |was )?denied
(?:you have been|has been|are) blocked|unable to access
security (?:service|solution|check|system)|ddos protection by
protect(?:ed|ion|s)? (?:itself|by|from online attacks|against)|request unsuccessful
"""),
    "trace": _signs(r"""
ray id|incident id|reference ?(?:#|id|number)|support id|event id|request id|your ip|ip address|cloudflare|imperva
incapsula|akamai|perimeterx|datadome|ddos.guard
performance (?:&|and) security|contact the (?:site|website) (?:owner|administrator)
"""),
}  # fmt: skip

_NUMBERED: Final = _signs(r"""
\bray id:? *[0-9a-f]{16}\b|\breference #\d+\.[0-9a-f.]{10,}|\bincident id:? *\d[\d-]{15,}|\bsupport id:? *\d{12,}
\brequest id:? *[0-9a-z_=-]{20,}
""")
"""The number of one request, for asking the blocker about it; no article has one."""
_CHALLENGE: Final = _signs(r"""
_cf_chl_opt|cf-chl-bypass|cdn-cgi/challenge-platform/h/\w+/orchestrate|(?:geo|ct)\.captcha-delivery\.com
_Incapsula_Resource\?(?:CWUDNSAI|incident_id)|id=.?px-captcha|AwsWafIntegration|awswaf\.com/[^\s"']{1,80}/challenge\.js
ddos-guard/js-challenge|sucuri_cloudproxy_js|_ab_challenge|/_sec/cp_challenge
""")
"""Names in blockers' scripts that demand a proof, not in those on pages that they let through."""

_PAID: Final[Mapping[str, re.Pattern[str]]] = {
    "gate": _signs(r"""
(?:subscribe|sign in|log ?in|register|sign up|become a (?:member|subscriber)|join)\b.{0,30} to (?:continue|read|unlock)
(?:subscribe|sign in|log ?in|register|sign up|become a (?:member|subscriber)|join)\b.{0,30} to (?:keep reading|access)
to (?:continue|keep) reading|to read (?:the (?:full|rest|whole)|more of this)|continue reading (?:with|by)
unlock (?:this|the full) (?:article|story)
(?:this|the full) (?:article|content|story) is .{0,40}(?:for|to) .{0,20}(?:subscribers|members)
weiterlesen mit|artikel freischalten|jetzt weiterlesen|um (?:weiterzulesen|den artikel|diesen artikel)
dieser (?:artikel|inhalt|beitrag) ist (?:nur|exklusiv|abonnenten|für|unseren)
il vous reste [\d,.]+ ?%|pour lire la suite|pour (?:lire|accéder à) (?:cet|l.intégralité)
la suite (?:de cet article )?est réservée|(?:cet article|ce contenu) est réservé
para (?:seguir|continuar) leyendo|(?:este|esta) (?:artículo|contenido|noticia) es (?:solo|exclusiv\w*)
para leer (?:el|la|este)
per continuare a leggere|(?:questo|contenuto|articolo) .{0,20}riservato agli|para continuar (?:lendo|a ler)
continue lendo|(?:este|conteúdo) .{0,25}exclusivo para
om verder te lezen|lees verder met|dit artikel is (?:alleen|exclusief)|czytaj dalej (?:po|z)|aby (?:czytać|przeczytać)
(?:artykuł|treść) (?:jest )?(?:tylko |dostępn\w+ )?(?:tylko )?dla
pro pokračování|för att läsa (?:vidare|hela|artikeln)|logga in för att läsa|for å lese (?:videre|hele)
for at læse (?:videre|hele)|lukeaksesi|jatka lukemista
чтобы (?:читать|прочитать|продолжить)|материал доступен (?:только )?(?:для|по)|щоб (?:читати|продовжити)
okumaya devam etmek|haberin devamı.{0,30}abone|pentru a (?:citi|continua)
για να (?:διαβάσετε|συνεχίσετε)
لقراءة (?:المقال|المزيد)|لمتابعة القراءة|هذا (?:المحتوى|المقال) (?:متاح |مخصص )?(?:فقط )?للمشتركين
(?:继续|繼續)阅?(?:读|閱讀).{0,10}(?:订阅|訂閱|会员)
(?:この|続き|全文).{0,20}(?:会員|購読|ログイン)|残り[\d,]+文字|구독.{0,15}계속
להמשך (?:ה)?קריאה|הכתבה (?:המלאה )?למנויים|ادامه (?:این )?مطلب|برای خواندن|a folytatáshoz
a teljes cikk|để (?:đọc|xem) tiếp
เพื่ออ่านต่อ|(?:पूरा|पूरी) (?:लेख|खबर) पढ़ने|ที่เหลือ
"""),
    "member": _signs(r"""
already (?:a|an|have)\b.{0,20}(?:subscriber|member|account|subscription)
bereits (?:abonnent|kunde|registriert|ein abo)|schon abonnent|haben sie (?:bereits|schon) ein
déjà (?:abonné|inscrit|client)|ya (?:eres|soy|es) (?:suscriptor|socio)|¿ya|sei già (?:abbonato|registrato)
já (?:é|sou) assinante|al (?:abonnee|lid)|masz już|jesteś już|již (?:máte|jste)
redan (?:prenumerant|kund|medlem)|allerede (?:abonnent|kunde|medlem)|oletko jo|уже (?:подписан|есть)
вже (?:підпис|маєте)|zaten (?:abone|üye)|ești deja|είστε ήδη
هل أنت مشترك|مشترك بالفعل|لديك (?:حساب|اشتراك)|כבר מנוי|مشترک هستید|đã là|สมาชิกอยู่แล้ว|已(?:是|经是)|すでに|이미
"""),
    "offer": _signs(r"""
subscribe(?: now| today| for)?\b|start your (?:free )?trial|free trial|cancel any ?time|(?:per|a|/) ?month\b
[$€£] ?\d+|\d+ ?[€$£]|jetzt (?:abonnieren|testen|bestellen)|monatlich kündbar|abo(?:nnieren| testen|s ansehen)
abonnez-vous|s.abonner|sans engagement|je m.abonne|par mois|suscr[ií]b(?:e|ete|ase|irse)|al mes\b|abb[oó]na(?:ti)?
al mese|assine|por mês|neem (?:een )?abonnement|abonneer|per maand
(?:wykup|kup) (?:dostęp|subskrypcję)|prenumer|miesi[ąę]c|předplat|bli (?:prenumerant|abonnent|kund)|kjøp|køb|tilaa
оформ\w+ подписк|подпиш|підпиш|передплат|abone ol|abonează|εγγραφ|اشترك
הירשמו|اشتراک|előfizet|đăng ký|สมัครสมาชิก|सब्सक्राइब|订阅|訂閱|購読|有料|구독
"""),
    "label": _signs(r"""
subscribers? only|for subscribers|members? only|premium|nur für abonnenten|abonnenten vorbehalten
réservée? aux abonnés|article réservé|solo para suscriptores|exclusivo para suscriptores
riservato agli abbonati|exclusivo para assinantes|alleen voor abonnees|dla prenumeratorów|pro předplatitele
för prenumeranter|for abonnenter|kun for abonnenter|vain tilaajille|для подписчиков|для передплатників
abonelere özel|pentru abonați|για συνδρομητές|للمشتركين
למנויים|ویژه مشترکین|आगे पढ़ने के लिए|előfizetőknek|dành (?:riêng )?cho|เฉพาะสมาชิก|会员专享|會員專享|有料会員
会員限定|구독자 전용|회원 전용
"""),
}  # fmt: skip
"""A wall says that there is more, and who may read it: a gate and another sign, close together."""
_CUT_OFF: Final = re.compile(r"(?:…|\.\.\.|\[…\])\W*$")
_SENTENCE: Final = re.compile(r"[^\n.!?…。！？।۔؟]{10,}[.!?…。！？।۔؟]+")
_CJK: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows and which scripts it runs."""

    titles: tuple[str, ...]
    """The chosen title and the document's."""
    text: str
    """The extracted text."""
    whole: str
    """All visible text, including buttons."""
    scripts: tuple[str, ...] = ()
    """Each script's address and the beginning of its code."""


def verdict(page: Shown, *, free: bool, words: int) -> tuple[TextStatus, str | None]:
    """The status of the page, and a sentence about it unless it is a whole article.

    `free` and `words` are the page's own metadata.
    """
    text, whole, length = page.text, page.whole, _weight(page.text)
    if length < WALL_CHARS:
        if _is_bot_check(page):
            return "empty", "the page is a check for robots, not the article"
        if _is_consent(text, whole):
            return "consent", "the page asks for consent in place of the article"
    if _is_paid(text, whole, length, free=free, words=words):
        return "paywall", "the page shows only the beginning: the rest is for subscribers"
    if length < SHELL_CHARS:
        return "empty", "the page shows no article text"
    return "full", None


def is_wall_text(page: Shown) -> bool:
    """Whether its text belongs to a wall, and contains nothing of an article, so that it must not be used."""
    return _weight(page.text) < WALL_CHARS and (_is_bot_check(page) or _is_consent(page.text, page.whole))


def without_gate(text: str) -> str:
    """`text` without the lines at its end in which a paywall says that there is more."""
    lines = text.split("\n")
    while len(lines) > 1 and len(lines[-1]) <= BOX_CHARS and _is_gate(lines[-1]):
        lines.pop()
    return "\n".join(lines)


def _is_bot_check(page: Shown) -> bool:
    text, whole = page.text, page.whole
    if _is_blocked(page):
        return True
    if _is_prose(text, _BOT) or len(whole) > CHROME_CHARS:
        return False
    said = text if _weight(text) >= SHELL_CHARS else whole[:2_000]
    kinds = _kinds(said, _BOT)
    return len(kinds) + (2 if _is_bot_titled(page) and kinds else 0) >= 3


def _is_blocked(page: Shown) -> bool:
    """Whether a short page is certainly a blocker's, in any language: by its script, its number or its title."""
    if len(page.whole) > TRACE_CHARS:
        return False
    if any(_CHALLENGE.search(script) for script in page.scripts):
        return True
    numbered = len(page.whole) < NUMBERED_CHARS and _NUMBERED.search(page.whole) is not None
    return numbered or (_is_bot_titled(page) and len(_kinds(page.whole, _BOT)) > 1)


def _is_bot_titled(page: Shown) -> bool:
    return any(_BOT_TITLE.match(title) for title in page.titles)


def _is_consent(text: str, whole: str) -> bool:
    if len(whole) > CHROME_CHARS or _is_prose(text, _CONSENT):
        return False
    said = text if _weight(text) >= SHELL_CHARS else whole
    kinds = _kinds(said, _CONSENT) | (_kinds(whole, _CONSENT) & {"button"})
    return len(kinds) == len(_CONSENT)


def _is_paid(text: str, whole: str, length: int, *, free: bool, words: int) -> bool:
    if words >= 150 and len(text.split()) < PAID_SHARE * words and not free:
        return True
    if not free and length < WALL_CHARS:
        return True
    if length >= WALL_CHARS:
        return False
    boxes = [text[-BOX_CHARS:], *(_boxes(text, whole) if length < PAID_CHARS else ())]
    return any(_is_paid_box(box) for box in boxes)


def _boxes(text: str, whole: str) -> list[str]:
    """The surroundings of each gate on the page."""
    spans = (gate.span() for gate in islice(_PAID["gate"].finditer(whole), MAX_BOXES))
    boxes = [whole[max(0, start - BOX_CHARS // 2) : end + BOX_CHARS // 2] for start, end in spans]
    last = text.rstrip().rpartition("\n")[2]
    end = whole.rfind(last) + len(last) if last and last in whole else -1
    return [*boxes, whole[end : end + BOX_CHARS]] if end >= 0 else boxes


def _is_paid_box(box: str) -> bool:
    kinds = _kinds(box, _PAID)
    return ("gate" in kinds and (len(kinds) > 1 or _CUT_OFF.search(box) is not None)) or len(kinds) >= 3


def _is_gate(line: str) -> bool:
    return "gate" in _kinds(line, _PAID) and _is_paid_box(line)


def _kinds(text: str, signs: Mapping[str, re.Pattern[str]]) -> set[str]:
    return {kind for kind, pattern in signs.items() if pattern.search(text)}


def _is_prose(text: str, signs: Mapping[str, re.Pattern[str]]) -> bool:
    """Whether enough of `text` is in sentences without a sign, so that it is an article's."""
    sentences = (sentence for sentence in _SENTENCE.findall(text) if not _kinds(sentence, signs))
    prose = sum(map(_weight, sentences))
    return prose >= SHELL_CHARS and prose >= PROSE_SHARE * _weight(text)


def _weight(text: str) -> int:
    """The length of `text`; a CJK character counts three times, as a word has about three times as many letters."""
    return len(text) + 2 * len(_CJK.findall(text))
