"""Walls in an article's place are told by several signs of the web; prose is an article whatever it is about."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ingest.pages.extract import extract

NOW = datetime(2026, 9, 1, tzinfo=UTC)
URL = "https://www.courier.example/world/2026/08/30/a-story"
BANNER = (
    "<div class=cmp><p>We and our 312 partners use cookies and store information on your device. You can withdraw "
    "your consent at any time.</p><button>Accept all</button><button>Manage options</button></div>"
)


def page(title: str, *paragraphs: str, lang: str = "en", around: str = "", footer: str = "") -> str:
    body = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return (
        f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>{title} - The Courier</title></head>'
        f"<body>{around}<main><article><h1>{title}</h1>{body}</article></main><footer>{footer}</footer></body></html>"
    )


ARTICLES = {
    "de, Zustimmung": page(
        "Bundesrat verweigert Zustimmung",
        "Der Bundesrat hat dem Abkommen seine Zustimmung verweigert. Ohne Zustimmung der Länder kann es nicht gelten.",
        "Die Kanzlerin sagte, die Zustimmung sei nur verschoben. Für die Zustimmung fehlten am Ende zwei Stimmen.",
        lang="de",
    ),
    "fr, consentement": page(
        "Le Sénat débat du consentement",
        "Le Sénat a voté mercredi la définition du consentement. Le consentement doit être libre et éclairé.",
        "Accepter le texte sans modification, c'est accepter le consentement comme principe, a dit la ministre.",
        lang="fr",
    ),
    "zh, 同意": page(
        "国会同意芬兰加入北约",
        "土耳其国会周四投票同意芬兰加入北约，共有二百七十六名议员表示同意，没有人反对这项法案。",
        "总统此前已表示同意。芬兰总理感谢各国同意其申请，并说瑞典也应得到同意。",
        lang="zh",
    ),
    "es, consentimiento": page(
        "El Senado da su consentimiento al tratado",
        "El Senado dio el martes su consentimiento al tratado. El consentimiento se aprobó por amplia mayoría.",
        "Aceptar el consentimiento como norma fue, según el ministro, un paso necesario para la Alianza.",
        lang="es",
    ),
    "a fine for cookies, under a banner": page(
        "Regulator fines ad firm over cookies",
        "The regulator fined the firm 40 million euros because its cookies followed readers without consent.",
        "Judges said that the button to reject all was hidden. The firm said that its privacy policy was clear.",
        "A third of the money goes to the state. The firm has a month to appeal.",
        around=BANNER,
    ),
    "a wave of attacks": page(
        "Access denied: ministries blocked by DDoS attack",
        "The sites of four ministries were unreachable on Monday after a wave of requests, the agency said.",
        "Visitors saw a page of Cloudflare that asked them to prove they are human. The group that supports Russia "
        "claimed the attack in its channel.",
    ),
    "de, Zugriff": page(
        "Just a moment: wie die Nato in Ankara eine Einigung fand",
        "Es war kurz nach Mitternacht, als die Minister in Ankara doch noch zusammenkamen und sich einigten.",
        "Ein Sprecher sagte, niemand habe das erwartet.",
        lang="de",
    ),
    "captchas": page(
        "Captcha farm financed Islamic State",
        "Police in Lyon arrested three men who ran a captcha farm. They had paid children in Idlib to solve puzzles.",
        "The prosecutor said that the money went to the group's fighters in the east of Syria.",
    ),
    "subscribers in the footer": page(
        "Soldiers wounded near Erbil",
        "Four soldiers of the mission were wounded on Tuesday by a drone near Erbil, a spokesman said in Brussels.",
        footer="<div>For subscribers</div><div>Premium</div><div>Imprint</div>",
    ),
    "de, Abonnenten im Kopf": page(
        "Vier Soldaten verletzt",
        "Vier Soldaten der Mission sind am Dienstag bei Erbil von einer Drohne verletzt worden, teilte das Heer mit.",
        lang="de",
        around="<header><div>Bereits Abonnent? Anmelden</div><div>Abo testen</div></header>",
    ),
    "fr, abonnés d'une chaîne": page(
        "La chaîne de l'EI fermée",
        "Une chaîne de propagande réservée aux abonnés a été fermée par la plateforme lundi, selon le parquet.",
        lang="fr",
    ),
    "ru, подписчики": page(
        "Канал боевиков закрыт",
        "Закрытый канал для подписчиков, в котором боевики публиковали записи, заблокирован во вторник.",
        lang="ru",
    ),
}


@pytest.mark.parametrize("name", ARTICLES)
def test_an_article_is_kept_whole(name: str) -> None:
    html = ARTICLES[name]
    found = extract(html, url=URL, now=NOW)
    assert found.status == "full", found.problems
    for paragraph in html.split("<article>")[1].split("</article>")[0].split("<p>")[1:]:
        assert paragraph.removesuffix("</p>") in found.text


WALLS = {
    "en": "<title>Before you continue</title><body><div><p>We value your privacy. We and our partners use cookies.</p>"
    "<p>Accept all, or manage your consent. See our privacy policy.</p></div>",
    "de": "<title>Zustimmung | Kurier</title><body><h1>Lesen Sie den Kurier mit Werbung</h1><p>Besuchen Sie uns wie "
    "gewohnt mit Werbung und Tracking. Details finden Sie im Datenschutzhinweis.</p><p>Wir und unsere 215 Partner "
    "verarbeiten Ihre Daten. Ihre Zustimmung ist jederzeit widerrufbar.</p><button>Alle akzeptieren</button>",
    "fr": "<title>Vos choix</title><body><div><p>Nous et nos 834 partenaires utilisons des cookies pour des publicités "
    "personnalisées. Vous pouvez retirer votre consentement.</p><button>Tout accepter</button><button>Paramétrer"
    "</button></div>",
    "es": "<title>Privacidad</title><body><p>Nosotros y nuestros socios utilizamos cookies para mostrar publicidad "
    "personalizada. Puedes retirar tu consentimiento.</p><button>Aceptar y continuar</button>",
    "pl": "<title>Twoja prywatność</title><body><p>My i nasi zaufani partnerzy używamy plików cookie. Możesz zmienić "
    "ustawienia w polityce prywatności.</p><button>Przejdź do serwisu</button>",
    "ru": "<title>Согласие</title><body><p>Мы используем файлы cookie и обрабатываем персональные данные. Вы можете "
    "изменить настройки.</p><button>Принять все</button>",
    "ja": "<title>ご確認</title><body><p>当サイトではクッキーを使用しています。"
    "お客様の情報はプライバシーポリシーに従って扱われます。"
    "</p><button>同意する</button>",
}


@pytest.mark.parametrize("language", WALLS)
def test_a_consent_wall_is_no_article(language: str) -> None:
    found = extract(f"<!doctype html><html lang={language}><head>{WALLS[language]}</html>", url=URL, now=NOW)
    assert (found.status, found.text) == ("consent", ""), found


@pytest.mark.parametrize(
    "html",
    [
        "<title>Just a moment...</title><body><p>Checking your browser before accessing courier.example. This process "
        "is automatic. Your browser will redirect shortly.</p><p>Ray ID: 7d3f. Performance and security by Cloudflare"
        "</p>",
        "<title>Attention Required! | Cloudflare</title><body><h1>Sorry, you have been blocked</h1><p>You are unable "
        "to access courier.example.</p><p>This website is using a security service to protect itself from attacks.</p>"
        "<p>Cloudflare Ray ID: 8a1.</p>",
        "<title>Access Denied</title><body><h1>Access Denied</h1><p>You don't have permission to access this page on "
        "this server. Reference #18.2d351ab8.1557333295.a4e16ab</p>",
        "<title>Un momento…</title><body><p>Confirme que no es un robot. El sitio comprueba su navegador.</p>",
        # Whatever the language: the number of the request, the script, the blocker's own title.
        "<title>Un instant…</title><body><h1>courier.example</h1><h2>Vérification que vous êtes humain, cela peut "
        "prendre quelques secondes.</h2><p>courier.example doit examiner la sécurité de votre connexion avant de "
        "continuer.</p><footer>Ray ID: 7c1f0a9b2c3d4e5f</footer>",
        "<title>잠시만요</title><body><h1>courier.example</h1><p>사람인지 확인하는 중입니다. 몇 초 걸립니다. "
        "계속하기 전에 연결의 보안을 검토해야 합니다.</p><p>Ray ID: 7c1f0a9b2c3d4e5f</p>",
        "<title>courier.example</title><script src='https://ct.captcha-delivery.com/c.js'></script><body><p>"
        "JavaScript'i açın ve reklam engelleyicinizi kapatın, sonra sayfayı yeniden yükleyip bir daha deneyin.</p>",
        "<title>courier.example</title><script>window._cf_chl_opt={cType:'managed'}</script><body><p>Zaczekaj chwilę, "
        "sprawdzamy, czy połączenie z witryną jest bezpieczne, i zaraz przekierujemy cię dalej.</p>",
        "<title>Pardon Our Interruption</title><body><h1>Pardon our interruption</h1><p>Your browser made "
        "us think that you were a bot.</p><p>You may have disabled cookies, or move through this site at a speed no "
        "reader has. To regain access, reload the page with cookies and scripts enabled.</p>",
    ],
)
def test_a_robot_check_is_no_article(html: str) -> None:
    found = extract(f"<!doctype html><html><head>{html}</html>", url=URL, now=NOW)
    assert (found.status, found.text) == ("empty", "")
    assert found.problems


@pytest.mark.parametrize(
    "box",
    [
        "To continue reading, subscribe for 1 € a month. Already a subscriber? Log in.",
        "Dieser Artikel ist Abonnenten vorbehalten. Jetzt abonnieren. Bereits Abonnent?",
        "Il vous reste 85 % de cet article à lire. La suite est réservée aux abonnés.",
        "Para seguir leyendo, suscríbete. ¿Ya eres suscriptor?",
        "Questo articolo è riservato agli abbonati. Abbonati a 1 € al mese.",
        "Чтобы читать дальше, оформите подписку. Уже есть подписка?",
        "この記事は会員限定です。残り1,024文字。ログイン",
        "هذا المقال للمشتركين فقط. اشترك لمتابعة القراءة. هل أنت مشترك؟",
        "להמשך קריאה הירשמו. כבר מנוי? התחברו",
        "A teljes cikk előfizetőknek érhető el. Előfizetek.",
        "Tämä artikkeli on vain tilaajille. Tilaa ja jatka lukemista. Oletko jo tilaaja?",
    ],
)
def test_a_paywall_is_told_and_its_beginning_kept(box: str) -> None:
    beginning = "Two frigates left the port of Constanța on Tuesday for the Black Sea, the navy said in Bucharest."
    found = extract(
        page("Frigates leave", beginning).replace("</article>", f"<div>{box}</div></article>"), url=URL, now=NOW
    )
    assert found.status == "paywall"
    assert found.text == beginning


@pytest.mark.parametrize(
    ("title", "sentences", "lang"),
    [
        (
            "Eduskunta antoi suostumuksensa",
            (
                "Eduskunta antoi torstaina suostumuksensa joukkojen lähettämiseen. Suostumusta oli pyytänyt hallitus.",
                "Ilman suostumusta sotilaat eivät voi lähteä, presidentti sanoi ja hyväksyi päätöksen heti.",
            ),
            "fi",
        ),
        (
            "국회, 파병 동의",
            (
                "국회는 목요일 파병 동의안에 동의했다. 동의안은 찬성 95표로 통과됐고 반대는 한 표뿐이었다.",
                "동의 없이는 병력을 보낼 수 없다. 대통령은 동의에 감사하며 곧 서명하겠다고 말했다.",
            ),
            "ko",
        ),
        (
            "البرلمان يمنح موافقته",
            (
                "منح البرلمان يوم الخميس موافقته على إرسال الجنود. وكانت الموافقة متوقعة منذ أسابيع في العاصمة.",
                "ولا يغادر الجنود من دون موافقة البرلمان، وشكر رئيس الوزراء النواب على قبول الطلب.",
            ),
            "ar",
        ),
        (
            "« Just a moment » : ce que le pirate a dit au juge",
            (
                "Le pirate présumé a répondu « Just a moment » au juge lundi à Paris, avant de tout nier.",
                "Le procès des trois hommes doit durer deux semaines, a indiqué le tribunal.",
            ),
            "fr",
        ),
        (
            "Cloudflare outage: what a Ray ID is",
            (
                "Readers of half the web saw a page with a Ray ID on Tuesday, as a network in Texas failed for hours.",
                "The firm said that your browser was not to blame, and that no attack was behind it.",
            ),
            "en",
        ),
    ],
)
def test_an_article_that_speaks_like_a_wall_is_kept(title: str, sentences: tuple[str, ...], lang: str) -> None:
    found = extract(page(title, *sentences, lang=lang), url=URL, now=NOW)
    assert (found.status, found.text, found.title) == ("full", "\n".join(sentences), title)
