"""What people call a topic, in the languages they search in: "Lastenteilung" finds the English article too.

These words are laid beside an article's own in its catch-all field, like the other names of its entities. They name the
whole topic, nothing narrower: a query for one of them shall find what was tagged, and nothing else. They tag nothing;
what does is in `config/taxonomy.yaml`. A topic that isn't here is found by the article's own words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

TOPIC_WORDS: Mapping[str, tuple[str, ...]] = {
    "nato": (
        "NATO", "OTAN", "NAVO", "Atlantic Alliance", "Alliance atlantique", "Nordatlantisches Bündnis",
        "Alianza Atlántica", "Alleanza Atlantica", "Aliança Atlântica", "Sojusz Północnoatlantycki", "НАТО", "ΝΑΤΟ",
        "الناتو", "حلف شمال الأطلسي", "ناتو", "נאט״ו", "北约", "北大西洋条約機構",
    ),
    "nato/summits": (
        "summit", "sommet", "Gipfel", "Gipfeltreffen", "cumbre", "vertice", "cimeira", "cúpula", "szczyt",
        "toppmöte", "σύνοδος κορυφής", "саммит", "саміт", "zirve", "قمة", "اجلاس", "峰会", "首脳会議",
    ),
    "nato/burden-sharing": (
        "burden-sharing", "defence spending", "defense spending", "military spending", "defence budget",
        "defense budget", "partage du fardeau", "dépenses de défense", "dépenses militaires", "Lastenteilung",
        "Verteidigungsausgaben", "Verteidigungsetat", "Zwei-Prozent-Ziel", "gasto en defensa", "gasto militar",
        "spese per la difesa", "spese militari", "gastos com defesa", "despesas militares", "defensie-uitgaven",
        "wydatki na obronność", "försvarsutgifter", "αμυντικές δαπάνες", "cheltuieli pentru apărare",
        "расходы на оборону", "витрати на оборону", "savunma harcamaları", "الإنفاق الدفاعي", "هزینه دفاعی", "国防开支",
        "防衛費",
    ),
    "nato/enlargement": (
        "enlargement", "accession", "membership", "élargissement", "adhésion", "Erweiterung", "Beitritt",
        "Mitgliedschaft", "ampliación", "adhesión", "allargamento", "adesione", "alargamento", "adesão", "uitbreiding",
        "toetreding", "rozszerzenie", "członkostwo", "utvidgning", "medlemskap", "διεύρυνση", "extindere", "aderare",
        "расширение", "членство", "розширення", "genişleme", "üyelik", "انضمام", "عضوية", "عضویت", "扩大", "加入",
        "加盟",
    ),
    "nato/deterrence": (
        "deterrence", "dissuasion", "Abschreckung", "disuasión", "deterrenza", "dissuasão", "afschrikking",
        "odstraszanie", "avskräckning", "αποτροπή", "descurajare", "сдерживание", "стримування", "caydırıcılık", "ردع",
        "بازدارندگی", "威慑", "抑止",
    ),
    "nato/operations": (
        "operation", "mission", "opération", "Einsatz", "operación", "misión", "operazione", "missione",
        "operação", "missão", "missie", "operacja", "misja", "insats", "αποστολή", "misiune", "операция", "миссия",
        "операція", "місія", "operasyon", "görev", "عملية", "مهمة", "عملیات", "行动", "作戦",
    ),
    "nato/command": (
        "headquarters", "secretary general", "quartier général", "secrétaire général", "Hauptquartier",
        "Generalsekretär", "cuartel general", "secretario general", "quartier generale", "segretario generale",
        "quartel-general", "secretário-geral", "hoofdkwartier", "secretaris-generaal", "kwatera główna",
        "sekretarz generalny", "högkvarter", "generalsekreterare", "αρχηγείο", "γενικός γραμματέας", "secretar general",
        "штаб-квартира", "генеральный секретарь", "генеральний секретар", "karargâh", "genel sekreter", "الأمين العام",
        "دبیرکل", "总部", "秘书长", "事務総長",
    ),
    "nato/partnerships": (
        "partnership", "partenariat", "Partnerschaft", "asociación", "partenariato", "parceria", "partnerschap",
        "partnerstwo", "partnerskap", "συνεργασία", "parteneriat", "партнёрство", "партнерство", "ortaklık", "شراكة",
        "مشارکت", "伙伴关系", "パートナーシップ",
    ),
    "nato/cyber-hybrid": (
        "cyber", "hybrid", "cybersecurity", "cyberdéfense", "hybride", "Cyberabwehr", "Cyberangriff", "ciberseguridad",
        "cibersicurezza", "cibersegurança", "cyberbezpieczeństwo", "κυβερνοασφάλεια", "кибербезопасность",
        "кібербезпека", "siber", "سيبراني", "سایبری", "网络安全", "サイバー",
    ),
    "counter-terrorism": (
        "terrorism", "counter-terrorism", "counterterrorism", "terrorisme", "contre-terrorisme",
        "lutte contre le terrorisme", "antiterrorisme", "Terrorismus", "Terror", "Terrorismusbekämpfung",
        "Terrorabwehr", "terrorismo", "lucha antiterrorista", "antiterrorismo", "terrorismebestrijding", "terroryzm",
        "τρομοκρατία", "terorism", "терроризм", "тероризм", "terörizm", "terör", "إرهاب", "مكافحة الإرهاب", "تروریسم",
        "恐怖主义", "反恐", "テロ", "テロ対策",
    ),
    "counter-terrorism/attacks": (
        "attack", "attentat", "attaque", "Anschlag", "Attentat", "atentado", "attentato", "ataque", "aanslag", "zamach",
        "επίθεση", "atac", "теракт", "saldırı", "هجوم", "حمله", "袭击", "攻撃",
    ),
    "counter-terrorism/plots": (
        "plot", "arrest", "complot", "arrestation", "Anschlagsplan", "Festnahme", "detención", "arresto",
        "detenção", "arrestatie", "zatrzymanie", "gripande", "σύλληψη", "arestare", "арест", "задержание", "арешт",
        "tutuklama", "gözaltı", "اعتقال", "بازداشت", "逮捕",
    ),
    "counter-terrorism/trials": (
        "trial", "verdict", "sentence", "procès", "condamnation", "Prozess", "Urteil", "juicio", "condena", "processo",
        "condanna", "julgamento", "condenação", "rechtszaak", "vonnis", "proces", "wyrok", "rättegång", "δίκη",
        "καταδίκη", "condamnare", "суд", "приговор", "вирок", "dava", "محاكمة", "محاکمه", "审判", "裁判",
    ),
    "counter-terrorism/designations": (
        "sanctions", "designation", "blacklist", "liste noire", "Sanktionen", "Terrorliste", "sanciones",
        "lista negra", "sanzioni", "sanções", "sancties", "sankcje", "sanktioner", "κυρώσεις", "sancțiuni", "санкции",
        "санкції", "yaptırım", "عقوبات", "تحریم", "制裁",
    ),
    "counter-terrorism/financing": (
        "terrorist financing", "financement du terrorisme", "Terrorismusfinanzierung", "financiación del terrorismo",
        "finanziamento del terrorismo", "financiamento do terrorismo", "terrorismefinanciering",
        "finansowanie terroryzmu", "finansiering av terrorism", "χρηματοδότηση της τρομοκρατίας",
        "finanțarea terorismului", "финансирование терроризма", "фінансування тероризму", "terörün finansmanı",
        "تمويل الإرهاب", "تامین مالی تروریسم", "恐怖融资", "テロ資金",
    ),
    "counter-terrorism/radicalisation": (
        "radicalisation", "radicalization", "deradicalisation", "propaganda", "extremism", "propagande",
        "Radikalisierung", "Extremismus", "radicalización", "radicalizzazione", "radicalização", "radicalisering",
        "radykalizacja", "radikalisering", "ριζοσπαστικοποίηση", "radicalizare", "радикализация", "радикалізація",
        "radikalleşme", "تطرف", "افراط‌گرایی", "激进化", "過激化",
    ),
    "counter-terrorism/foreign-fighters": (
        "foreign fighters", "combattants étrangers", "ausländische Kämpfer", "combatientes extranjeros",
        "combattenti stranieri", "combatentes estrangeiros", "buitenlandse strijders", "zagraniczni bojownicy",
        "utländska krigare", "ξένοι μαχητές", "luptători străini", "иностранные боевики", "іноземні бойовики",
        "yabancı savaşçılar", "مقاتلون أجانب", "جنگجویان خارجی", "外国战斗人员", "外国人戦闘員",
    ),
    "counter-terrorism/operations": (
        "coalition", "military operation", "opération militaire", "Koalition", "Allianz", "Militäreinsatz",
        "coalición", "operación militar", "coalizione", "operazione militare", "coligação", "coalizão", "coalitie",
        "koalicja", "koalition", "συνασπισμός", "coaliție", "коалиция", "коаліція", "koalisyon", "تحالف", "ائتلاف",
        "联盟", "有志連合",
    ),
    "counter-terrorism/law-policy": (
        "anti-terror law", "counter-terrorism policy", "loi antiterroriste", "Antiterrorgesetz", "ley antiterrorista",
        "legge antiterrorismo", "lei antiterrorismo", "antiterreurwet", "ustawa antyterrorystyczna", "terroristlag",
        "αντιτρομοκρατικός νόμος", "lege antiteroristă", "антитеррористический закон", "антитерористичний закон",
        "terörle mücadele yasası", "قانون مكافحة الإرهاب", "قانون ضد تروریسم", "反恐法", "テロ対策法",
    ),
}  # fmt: skip


def words_for(tags: Iterable[str]) -> list[str]:
    """The words of all these topics and sub-topics, each once."""
    return list(dict.fromkeys(word for tag in tags for word in TOPIC_WORDS.get(tag, ())))
