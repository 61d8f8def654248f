"""Lists for names, phones and postal addresses that Faker lacks or makes up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

    from operators.dlp.generator.pools import LocalePool

COMMON_FIRSTS: Final = tuple(
    "James John Robert Michael William David Richard Joseph Thomas Charles Mary Patricia Jennifer "
    "Linda Elizabeth Barbara Susan Jessica Sarah Karen Chris Mike Bob Bill Jim Tom Dave Steve Jeff "
    "Kate Liz Sue Beth Dan Matt Andy Tony Joe Sam Alex Pat Kim Lee Ken Ben Greg Tim Rick Ron Don "
    "Larry Jerry Phil Vince Kay Sally Louise Sara Mark Kevin Scott Eric Brian Paul Priya Raj Wei "
    "Mohammed Fatima Ahmed Maria Jose Juan Carlos Luis Anna Olga Ivan Yuki Chen Li Nguyen Amit "
    "Sunita Grace Faith Hope Joy April May June Summer Dawn Rose Lily Ivy Jack Will Grant Chase "
    "Mason Hunter Cooper Tyler Austin Dallas Jordan Paris London Sydney Chelsea Madison Savannah "
    "Brooklyn Israel Chad Georgia Virginia Carolina Dakota Montana Florence Lourdes".split()
)
COMMON_LASTS: Final = tuple(
    "Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez "
    "Gonzalez Wilson Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris "
    "Sanchez Clark Ramirez Lewis Robinson Walker Young Allen King Wright Scott Torres Nguyen Hill "
    "Flores Green Adams Nelson Baker Hall Rivera Campbell Mitchell Carter Roberts Patel Kim Singh "
    "Khan Chen Wang Li Zhang Kumar Sharma Shah Ali Cohen Levy Schmidt Weber Rossi Silva Ivanov "
    "Lavorato Shackleton Haedicke Dasovich Kean Skilling Lay Fastow Kaminski Beck Delainey Steffes "
    "Page Price Bush Stone Wood Field Banks Park Rice Fox Wolf Bird Day Long Short Love Post Cash "
    "Bond Sharp Swift Cook Mason Potter Weaver Fisher Hunter Marshall Major Judge Bishop Pope".split()
)
ROLES: Final = (
    "info", "sales", "support", "billing", "hr", "office", "contact", "accounts", "admin", "legal",
    "jobs", "careers", "press", "help", "payroll", "security", "team", "invoices", "service",
)  # fmt: skip
HANDLES: Final = (
    "coolguy", "sunshine", "darkstar", "skater", "gamer", "ninja", "dragon", "shadow", "tiger",
    "rockstar", "butterfly", "soccerfan", "techie", "bookworm", "catlover", "moonlight", "wolf",
    "phoenix", "maverick", "cowboy", "princess", "angel", "hawk", "storm", "blaze", "pixel", "dev",
)  # fmt: skip
PHONE_SHAPES: Final = (
    "(N##) N##-####", "(N##) N##-####", "N##-N##-####", "N##-N##-####", "N##-N##-####",
    "N##.N##.####", "N## N## ####", "N##N######", "1-N##-N##-####", "+1 N##-N##-####",
    "+1 (N##) N##-####", "+1N##N######", "(N##)N##-####", "N##/N##-####", "1 (N##) N##-####",
    "+1.N##.N##.####", "N##-####", "1-800-N##-####", "+1-N##-N##-####", "N## - N## - ####",
    "+44 20 #### ####", "+44 7### ######", "020 7### ####", "07### ######", "0161 ### ####",
    "+44 (0)20 #### ####", "01### ######", "+44 7### ### ###", "07### ### ###", "0044 20 ########",
    "+49 30 #######", "+49 (0)89 ######", "030/#######", "0171 #######", "+49-170-#######",
    "+49 151 ########", "089 / ### ## ##", "+33 1 ## ## ## ##", "06 ## ## ## ##", "+33 6 ## ## ## ##",
    "01.##.##.##.##", "+34 6## ### ###", "91 ### ## ##", "+34 9## ## ## ##", "+39 06 ########",
    "+39 3## #######", "02 ########", "+31 6 ########", "06-########", "+31 (0)20 ### ####",
    "+46 8 ### ### ##", "070-### ## ##", "+47 ## ## ## ##", "+45 ## ## ## ##", "+358 40 #######",
    "+41 44 ### ## ##", "079 ### ## ##", "+43 1 #######", "+48 ### ### ###", "+420 ### ### ###",
    "+91 9#### #####", "+91-98########", "9#########", "0##-########", "+86 1## #### ####",
    "1##########", "+81 3-####-####", "090-####-####", "+82 10-####-####", "010-####-####",
    "+61 4## ### ###", "04## ### ###", "(02) #### ####", "+61 2 #### ####", "+64 21 ### ####",
    "+55 11 9####-####", "(11) 9####-####", "+52 55 #### ####", "+54 11 ####-####", "+7 9## ###-##-##",
    "8 (9##) ###-##-##", "+971 50 ### ####", "+966 5# ### ####", "+27 82 ### ####", "08# ### ####",
    "+234 80# ### ####", "+254 7## ######", "+65 #### ####", "+852 #### ####", "+90 5## ### ## ##",
    "+353 87 ### ####", "+32 4## ## ## ##", "+351 9## ### ###", "+972-5#-###-####", "+62 812-####-####",
    "+63 917 ### ####", "+66 8# ### ####", "+84 9# ### ## ##", "+380 67 ### ## ##", "+30 69# ### ####",
)  # fmt: skip
_CITIES: Final = tuple(
    "Springfield,Portland,Houston,Dallas,Austin,San Antonio,Chicago,Boston,Seattle,Denver,Phoenix,"
    "Atlanta,Miami,Tampa,Orlando,Cleveland,Columbus,Cincinnati,Detroit,Minneapolis,St. Louis,"
    "Kansas City,Omaha,Tulsa,Nashville,Memphis,Charlotte,Raleigh,Richmond,Baltimore,Philadelphia,"
    "Pittsburgh,Newark,Albany,Buffalo,Rochester,Hartford,Providence,Salt Lake City,Las Vegas,Reno,"
    "Sacramento,San Jose,San Diego,Oakland,Los Angeles,Fresno,Boise,Spokane,Honolulu,Anchorage,"
    "Salem,Madison,Lincoln,Jackson,Franklin,Clinton,Georgetown,Arlington,Fairview,Greenville,"
    "Bristol,Dover,Oxford,Ashland,Burlington,Manchester,Milton,Newport,Cambridge,Lexington,Aurora,"
    "Marion,Dayton,Troy,Auburn,Winchester,Kingston,Hudson,Plano,Irving,Sugar Land,The Woodlands,"
    "Round Rock,Naperville,Evanston,Palo Alto,Mountain View,Sunnyvale,Santa Clara,Bellevue,Tacoma,"
    "Brooklyn,Queens,Yonkers,White Plains,Stamford,Princeton,Bethesda,Falls Church,Ann Arbor".split(
        ","
    )
)
_STATES: Final = (
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS",
    "KY", "LA", "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY",
    "NC", "ND", "OH", "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV",
    "WI", "WY", "DC", "Texas", "California", "New York", "Ohio", "Florida", "Illinois", "Georgia",
)  # fmt: skip
_ROADS: Final = tuple(
    "Main,Oak,Maple,Elm,Park,Washington,Lake,Hill,Walnut,Cedar,Pine,First,Second,Third,Fourth,5th,"
    "42nd,14th,Lincoln,Jefferson,Madison,Church,Spring,River,Sunset,Highland,Forest,Franklin,"
    "Jackson,Willow,Meadow,Broad,Market,Center,Mill,Ridge,Valley,Chestnut,Spruce,Cherry,Birch,"
    "Louisiana,Smith,Westheimer,San Felipe,Martin Luther King Jr,Peachtree,Mission,Castro,King,"
    "Queen,Victoria,Station,High,London,Green,Mayfield,Kensington,Albert,Windsor,York,Stanley".split(
        ","
    )
)
_KINDS: Final = (
    "St", "St.", "Street", "Street", "Ave", "Ave.", "Avenue", "Rd", "Road", "Rd.", "Blvd", "Blvd.",
    "Boulevard", "Ln", "Lane", "Dr", "Drive", "Dr.", "Ct", "Court", "Pl", "Place", "Way", "Pkwy",
    "Parkway", "Circle", "Terrace", "Hwy", "Trail", "Crescent", "Close", "Gardens", "Square",
)  # fmt: skip
_UNITS: Final = (
    "Apt {}", "Apt. {}", "Suite {}", "Ste {}", "Unit {}", "#{}", "Apt #{}", "Floor {}", "Rm {}",
    "Bldg {}", "Apt {}B", "{}th Floor", "Flat {}", "Suite {}00", "P.O. Box {}", "PO Box {}",
)  # fmt: skip
_WORLD: Final = tuple(
    "Paris,Berlin,Munich,Hamburg,Cologne,Frankfurt,Vienna,Zurich,Geneva,Basel,Rome,Milan,Naples,Turin,Venice,Madrid,Barcelona,"
    "Seville,Valencia,Bilbao,Lisbon,Porto,Brussels,Antwerp,Ghent,Amsterdam,Rotterdam,Utrecht,The Hague,Copenhagen,Aarhus,Stockholm,"
    "Gothenburg,Oslo,Bergen,Helsinki,Tampere,Reykjavik,Dublin,Cork,Galway,Belfast,Warsaw,Krakow,Gdansk,Prague,Brno,Budapest,Bratislava,"
    "Ljubljana,Zagreb,Belgrade,Novi Sad,Sarajevo,Skopje,Sofia,Bucharest,Athens,Patras,Istanbul,Ankara,Izmir,Moscow,Kazan,Kyiv,Odesa,"
    "Minsk,Vilnius,Riga,Tallinn,Tbilisi,Yerevan,Baku,Tehran,Baghdad,Basra,Beirut,Amman,Damascus,Jerusalem,Tel Aviv,Haifa,Cairo,Alexandria,"
    "Tunis,Algiers,Rabat,Casablanca,Tripoli,Khartoum,Nairobi,Mombasa,Kampala,Kigali,Lagos,Kano,Abuja,Accra,Dakar,Abidjan,Luanda,Harare,"
    "Lusaka,Maputo,Johannesburg,Cape Town,Durban,Pretoria,Dubai,Abu Dhabi,Doha,Riyadh,Jeddah,Kuwait City,Muscat,Karachi,Lahore,Delhi,"
    "Mumbai,Bangalore,Chennai,Kolkata,Pune,Hyderabad,Jaipur,Dhaka,Colombo,Kathmandu,Yangon,Bangkok,Chiang Mai,Hanoi,Saigon,Phnom Penh,"
    "Kuala Lumpur,Penang,Singapore,Jakarta,Bandung,Manila,Cebu,Hong Kong,Macau,Taipei,Beijing,Shanghai,Shenzhen,Chengdu,Wuhan,Seoul,Busan,"
    "Tokyo,Osaka,Kyoto,Nagoya,Sapporo,Melbourne,Perth,Brisbane,Hobart,Auckland,Wellington,Christchurch,Toronto,Montreal,"
    "Vancouver,Calgary,Ottawa,Winnipeg,Halifax,Mexico City,Monterrey,Guadalajara,Havana,Kingston,San Juan,Panama,Bogota,Medellin,Quito,Lima,"
    "La Paz,Valparaiso,Buenos Aires,Montevideo,Asuncion,Rio de Janeiro,Sao Paulo,Recife,Caracas,Duluth,Topeka,"
    "Germany,France,Italy,Spain,Portugal,Poland,Sweden,Norway,Denmark,Finland,Ireland,Scotland,Wales,England,Britain,Austria,Switzerland,"
    "Greece,Turkey,Serbia,Croatia,Hungary,Romania,Bulgaria,Ukraine,Russia,Armenia,Iran,Iraq,Lebanon,Syria,Egypt,Libya,"
    "Morocco,Algeria,Tunisia,Sudan,Ethiopia,Kenya,Uganda,Nigeria,Ghana,Mali,Congo,Angola,Zambia,South Africa,India,Pakistan,Nepal,China,"
    "Japan,Korea,Vietnam,Thailand,Malaysia,Indonesia,Philippines,Australia,New Zealand,Canada,Mexico,Cuba,Jamaica,Brazil,Argentina,Chile,Peru,"
    "Colombia,Venezuela,Bolivia,Europe,Africa,Asia,America,Bavaria,Saxony,Tuscany,Sicily,Catalonia,Andalusia,Brittany,Normandy,Provence,Flanders,"
    "Ontario,Quebec,Alberta,Queensland,Tasmania,Punjab,Kerala,Gujarat,Siberia,Patagonia,Yorkshire,Cornwall,Essex,Sussex".split(
        ","
    )
)
BRANDS: Final = tuple(
    "Microsoft,Google,Amazon,Apple,Oracle,Adobe,Cisco,Intel,Nvidia,Samsung,Sony,Siemens,Bosch,Toyota,Honda Civic,Ford Focus,Tesla,Volvo,Boeing,"
    "Airbus,Visa,Mastercard,PayPal,Walmart,Target,Costco,Starbucks,Pfizer,Bayer,Merck,Nestle,Unilever,Morgan Stanley,Goldman Sachs,Wells Fargo,"
    "Merrill Lynch,Credit Suisse,Deutsche Bank,Barclays,Ernst & Young,Price Waterhouse,Arthur Andersen,Rolls Royce,Harley Davidson,Johnson & Johnson,"
    "Smith & Wesson,Abercrombie & Fitch,Dolce & Gabbana,McDonald's,Denny's,Sainsbury's,Harrods,Macy's,Levi's,Kellogg's,Heinz,Dell,"
    "Hewlett Packard,Lockheed Martin,Mercedes Benz,Calvin Klein,Ralph Lauren,Louis Vuitton,Jack Daniels,Jim Beam,Johnnie Walker,Ben & Jerry's,"
    "Linux,Debian,Ubuntu,Fedora,Windows,Android,Firefox,Chrome,Safari,Excel,Word,Outlook,Photoshop,Python,Perl,Java,Kotlin,Swift,Scala,"
    "Haskell,Erlang,Elixir,Rust,Django,Flask,Tornado,Celery,Paramiko,Scrapy,Kafka,Spark,Hadoop,Hive,Pig,Flink,Airflow,Jenkins,Ansible,"
    "Puppet,Chef,Salt,Terraform,Vagrant,Docker,Kubernetes,Helm,Istio,Envoy,Consul,Vault,Nomad,Grafana,Prometheus,Elastic,Kibana,Logstash,Redis,Mongo,"
    "Postgres,MySQL,SQLAlchemy,SQLite,Apache,Tomcat,Jetty,Nginx,Varnish,Maven,Gradle,Ant,Bazel,Babel,Webpack,Angular,React,Vue,Ember,Mocha,Karma,"
    "Jest,Cypress,Selenium,Cucumber,Sphinx,Doxygen,Jupyter,Pandas,Keras,Theano,Caffe,Lucene,Solr,Drupal,Joomla,Magento,Jira,Confluence,Trello,Slack,"
    "Zoom,Skype,Cortana,Apollo,Hermes,Atlas,Titan,Orion,Phoenix,Mercury,Saturn,Jupiter,Neptune,Pluto,"
    "Christmas,Easter,Ramadan,Thanksgiving,Halloween,Valentine,Congress,Parliament,Senate,Bible,Koran,English,German,French,Spanish,Chinese,Japanese".split(
        ","
    )
)
_UK_CITIES: Final = (
    "London", "Manchester", "Leeds", "Bristol", "Birmingham", "Glasgow", "Edinburgh", "Cardiff",
    "Liverpool", "Sheffield", "Oxford", "Cambridge", "Brighton", "York", "Bath", "Reading", "Leicester",
)  # fmt: skip
_CONTINENTAL: Final = (
    ("{r}straße {n}", "{z5} {c}"), ("{r}str. {n}", "{z5} {c}"), ("{r}weg {n}a", "{z4} {c}"),
    ("{n} rue de {r}", "{z5} {c}"), ("{n}, avenue {r}", "{z5} {c}", "France"), ("Via {r} {n}", "{z5} {c}"),
    ("Calle {r} {n}, {u}º", "{z5} {c}"), ("C/ {r}, {n}", "{z5} {c}"), ("{r}gatan {n}", "{z3} {z2} {c}"),
    ("{r}laan {n}", "{z4} AB {c}"), ("{r}straat {n}", "{z4} KL {c}", "Netherlands"), ("ul. {r} {n}/{u}", "{z2}-{z3} {c}"),
    ("Rua {r}, {n}", "{c} - SP", "{z5}-{z3}"), ("{r}vej {n}", "{z4} {c}"), ("Flat No. {n}, {r} Apartments", "{c} - {z6}"),
    ("{n}, {r} Nagar", "{c} {z6}", "India"), ("{r} katu {n} A {u}", "{z5} {c}"), ("Av. {r} {n}", "Col. {c}", "{z5} {c}"),
)  # fmt: skip


def anglo_address(rng: Random, pool: LocalePool) -> list[str]:
    """An address of an English-speaking country, as lines."""
    tail: list[str]
    road = rng.choice(_ROADS) if rng.random() < 0.6 else rng.choice(pool.lasts).split(" ")[-1]
    number = rng.choice(
        (rng.randrange(1, 100), rng.randrange(100, 1000), rng.randrange(1000, 30000))
    )
    street = f"{number} {rng.choice(('', '', '', 'N ', 'S. ', 'West ', 'E '))}{road} {rng.choice(_KINDS)}"
    if rng.random() < 0.04:
        street = f"P.O. Box {rng.randrange(10, 9999)}"
    unit = ""
    if rng.random() < 0.25:
        unit = rng.choice(_UNITS).format(rng.randrange(1, 60))
    if rng.random() < 0.25:
        letters = "ABCDEFGHJKLMNPRSTUWY"
        code = (
            f"{rng.choice(letters)}{rng.choice(('', rng.choice(letters)))}{rng.randrange(1, 30)} "
            f"{rng.randrange(1, 10)}{rng.choice(letters)}{rng.choice(letters)}"
        )
        city = rng.choice(_UK_CITIES)
        lines = [unit, street] if unit else [street]
        tail = [f"{city} {code}"] if rng.random() < 0.5 else [city, code]
        return [*lines, *tail, *(["United Kingdom"] if rng.random() < 0.15 else [])]
    city = rng.choice(_CITIES) if rng.random() < 0.75 else rng.choice(pool.cities or _CITIES)
    code = f"{rng.randrange(1000, 99999):05}"
    if rng.random() < 0.12:
        code += f"-{rng.randrange(1000, 9999)}"
    lines = (
        [f"{street}, {unit}" if rng.random() < 0.6 else f"{street} {unit}"] if unit else [street]
    )
    chance = rng.random()
    if chance < 0.08:
        return lines
    if chance < 0.2:
        return [*lines, city]
    if chance < 0.3:
        return [*lines, f"{city}, {rng.choice(_STATES)}"]
    state = rng.choice(_STATES)
    last = rng.choice(
        (
            f"{city}, {state} {code}",
            f"{city}, {state} {code}",
            f"{city} {state} {code}",
            f"{city}, {state}, {code}",
        )
    )
    return [*lines, last, *(["USA"] if rng.random() < 0.08 else [])]


def continental_address(rng: Random, pool: LocalePool) -> list[str]:
    """An address as continental Europe, India or Latin America write them, as lines."""
    fill = {
        "r": rng.choice(pool.lasts).split(" ")[-1],
        "n": rng.randrange(1, 250),
        "u": rng.randrange(1, 12),
        "c": rng.choice(pool.cities) if pool.cities else rng.choice(_CITIES),
        **{
            f"z{width}": str(rng.randrange(10 ** (width - 1), 10**width))
            for width in (2, 3, 4, 5, 6)
        },
    }
    return [line.format(**fill) for line in rng.choice(_CONTINENTAL)]


def city(rng: Random) -> str:
    """A place by its name alone: not tagged."""
    return rng.choice(rng.choice((_CITIES, _UK_CITIES, _WORLD)))
