"""Labels of forms, records, tables, code, configuration and logs, each with what stands beside it.

A field is ``label alternatives -> slot``; a line is a template as in `templates_prose`.
"""

from __future__ import annotations

from typing import Final

FIELDS: Final = """\
Name|Full name|Customer name|Patient name|Employee|Contact|Contact person|Applicant|Account holder|Client|name|full_name|customer_name|Cardholder|cardholder_name|Beneficiary|Owner|Author|Requested by|Signed by|Nom|Nombre|Nome -> n
First name|first_name|firstName|Given name|given_name|Vorname|Prénom|FIRST -> f
Last name|last_name|lastName|Surname|Family name|family_name|Nachname|LAST -> l
Email|E-mail|email|Email address|email_address|contact_email|mail|E-Mail-Adresse|emailAddress|To|Reply-To|login -> em
Phone|Phone number|phone|phone_number|Tel|Tel.|Telephone|Mobile|Cell|mobile|Fax|Home phone|Work phone|phoneNumber|Contact number|Telefon|Téléphone|WhatsApp -> ph
Address|address|Home address|Mailing address|Shipping address|shipping_address|Billing address|street_address|Residence|Adresse|Dirección|addr|Location of service -> ad
SSN|ssn|Social Security Number|Social Security No.|social_security_number|SS#|Social|Soc Sec #|TIN|ITIN -> ssn
National ID|national_id|Tax ID|tax_id|Identity number|ID number|NINO|NI number|Aadhaar|PAN card|CPF|DNI|NIE|Codice fiscale|BSN|PESEL|SIN|TFN|Personnummer|id_number|Steuer-ID|AVS -> nid
Passport|Passport No.|Passport number|passport_number|passport|Passport # -> pass
Driver's license|Driver License No.|drivers_license|DL#|Licence number|driver_license_number|Driving licence -> dl
Card number|Credit card|card_number|cardNumber|CC|cc_number|Card No.|PAN|Credit card number|Debit card|payment_card|card|Visa|Mastercard|Amex|account_pan -> card
IBAN|iban|Bank account (IBAN)|Beneficiary IBAN|account_iban -> iban
Password|password|passwd|pwd|Pass|PIN|passphrase|pw|Temporary password|initial_password|Passwort|contraseña|mot de passe|userPassword|PASSWORD -> pw
API key|api_key|apikey|Access token|access_token|secret|Secret key|client_secret|token|auth_token|API_TOKEN|secretKey|private_token|bearer|signing_key -> key
Database URL|DATABASE_URL|connection_string|dsn|database_url|Connection|db_uri -> db
Matter|Matter No.|matter_id|Matter ID|Case No.|case_number|Docket|Our ref|Our reference|File no.|Client-Matter|Case number|Matter number|Legal matter|Aktenzeichen -> mat
Agreement|Document type|Restriction|Classification|Legal basis|Handling -> nda
Date of birth|DOB|dob|Birth date|birth_date|date_of_birth|Geburtsdatum|Birthday -> dob
Username|username|user|User ID|user_id|handle|login_name|screen_name -> usr
MRN|Medical record|mrn|Chart # -> mrn
NPI|npi|Provider NPI -> npi
Order|Order number|order_id|orderId|Order No.|Invoice|invoice_number|Tracking|Ticket|reference|PO number|SKU|Part no.|serial -> ord
Company|company|Employer|Organisation|organization|Firm|Vendor|client_name -> co
City|city|Town|Place of birth|location|region -> city
Job title|title|Position|Occupation|job|role -> job
Date|date|created_at|updated_at|Issued|Expires|Due -> date
Time|time|start|Duration -> time
Amount|amount|Total|total|Salary|Balance|price -> amt
ID|id|uuid|request_id|trace_id|transaction_id|session|correlation_id|guid|device_id -> uuid
Checksum|sha|commit|sha256|md5|digest|revision|etag|build -> sha
Version|version|firmware|release -> ver
IP|ip|ip_address|host|server|mac|MAC address|endpoint -> ip
Quantity|count|qty|Pages|Age|age|Score|level|priority|status_code -> num
API key|api_key|password|token|secret|client_secret|Password|DB_PASSWORD|access_key|auth -> neg
Example|example_email|placeholder|sample|default_from|remote|clone_url -> ex
Comment|Notes|Remarks|description|summary -> topic
Public key|thumbprint|certificate|nonce|css_class|build_id|cursor|page_token|etag|fingerprint -> tok
""".splitlines()

CODE: Final = """\
{kw} = "{key}"
{kw} = '{key}'
const {kw} = "{key}";
let {kw} = '{key}'
private static final String {KW} = "{key}";
{KW} = "{key}"
"{kw}": "{key}",
{kw}: "{key}",
client = Client(api_key="{key}")
headers = {{"Authorization": "Bearer {key}"}}
headers["X-Api-Key"] = "{key}"
curl -H "Authorization: Bearer {key}" {url}
curl -u {usr}:{pw} {url}
wget --user={usr} --password={pw} {url}
git clone https://{usr}:{key}@{host}/repo.git
https://{usr}:{pw}@{host}/api
export {KW}={key}
export {KW}="{key}"
os.environ["{KW}"] = "{key}"
setx {KW} {key}
$env:{KW} = "{key}"
requests.get(url, auth=("{usr}", "{pw}"))
requests.get("{url}&token={key}")
password = "{pw}"
{pwk} = "{pw}"
{pwk} = '{pw}'
{PWK}={pw}
"{pwk}": "{pw}",
{pwk}: {pw}
if password == "{pw}":
login("{usr}", "{pw}")
driver.findElement(By.id("pass")).sendKeys("{pw}");
mysql -u {usr} -p{pw} {ident}
sshpass -p '{pw}' ssh {usr}@{host}
define('DB_PASSWORD', '{pw}');
$password = "{pw}";
<add key="{kw}" value="{key}" />
<password>{pw}</password>
conn = psycopg2.connect("{db}")
engine = create_engine("{db}")
DATABASE_URL={db}
mongoose.connect('{db}')
spring.datasource.url={db}
connectionString="{db}"
# TODO ask {n} about this
# {n} says this is «wrong|fine|slow»
# contact {em} «before changing this|for access|»
// {f}: «fix this|why?|remove after release»
// call {n} at {ph} if this breaks
/* reviewed by {n} <{em}> */
assert user.name == "{n}"
User(name="{n}", email="{em}")
create_user("{f}", "{l}", "{em}")
{{"name": "{n}", "email": "{em}", "phone": "{ph}"}},
INSERT INTO users VALUES ({num}, '{n}', '{em}', '{ph}');
INSERT INTO customers (name, address) VALUES ('{n}', '{ad}');
INSERT INTO cards VALUES ({num}, '{card}', '{exp}');
UPDATE people SET ssn = '{ssn}' WHERE id = {num};
SELECT * FROM users WHERE email = '{em}';
card = "{card}"
"card_number": "{card}",
pay(card="{card}", cvc="{cvv}")
"ssn": "{ssn}",
patient = Patient("{n}", dob="{dob}", ssn="{ssn}")
send_mail("Hello", body, to=["{em}"])
mailto:{em}
ADMINS = [("{n}", "{em}")]
"iban": "{iban}",
phone = "{ph}"
"address": "{ad}",
{pem}
key = '''{pem}'''
""".splitlines()

CONFIG: Final = """\
{KW}={key}
{KW}: {key}
{kw}: {key}
{kw}: "{key}"
{kw} = {key}
{pwk}: {pw}
{pwk}: '{pw}'
{PWK}={pw}
{pwk} = {pw}
  - name: {KW}\\n    value: "{key}"
  {pwk}: {pw}
url: {db}
{DBK}={db}
dsn = {db}
sqlalchemy.url = {db}
uri: "{db}"
machine {host} login {usr} password {pw}
//registry.npmjs.org/:_authToken={key}
[mail]\\nuser = {em}\\npassword = {pw}
smtp_password={pw}
aws_access_key_id = {aws}\\naws_secret_access_key = {awssec}
AWS_SECRET_ACCESS_KEY={awssec}
admin_email: {em}
maintainer: {n} <{em}>
contact: {em}
alert_phone: "{ph}"
owner: {n}
requirepass {pw}
<user name="{usr}" password="{pw}"/>
Authorization: Basic {key}
Authorization: Bearer {key}
x-api-key: {key}
Cookie: session={key}
webhook: {key}
ssh_key: |\\n{pem}
{usr}:{pw}
bind_password {pw}
wpa_passphrase={pw}
""".splitlines()

LOG: Final = """\
{ts} INFO user {em} logged in from {ip}
{ts} WARN login failed for {em}
{ts} DEBUG payload={{"name":"{n}","phone":"{ph}"}}
{ts} INFO sent SMS to {ph}
{ts} ERROR could not charge card {card}: declined
{ts} DEBUG auth header: Bearer {key}
{ts} DEBUG connecting to {db}
{ts} ERROR connection failed: {db}
{ts} INFO reset password for {usr} to {pw}
{ts} TRACE password={pw} user={usr}
{ts} INFO GET /users?email={em}&token={key} 200
{ip} - {usr} [{ts}] "POST /login HTTP/1.1" 200 {num}
{ts} [main] INFO c.a.Service - created customer {n} ({uuid})
{ts} INFO shipped order {ord} to {ad}
{ts} WARN ssn={ssn} failed validation
{ts} INFO mail from=<{em}> to=<{em2}> status=sent
{ts} DEBUG request headers: x-api-key={key}
{ts} INFO opened matter {mat} for {co}
""".splitlines()

NEGATIVE: Final = """\
# {plain}
  {plain}
== {plain} ==
{plain}: {num}
#define {plain} {num}
{shout}
{shout}: {num}
{phrase} ({num})
«See also|Chapter|Section|Table|Figure» {num}: {phrase}
{phrase} by {co}
{kw} = {neg}
{kw}: {neg}
{kw} = "{neg}"
{pwk} = {neg}
{pwk}: "{neg}"
{KW}={neg}
export {KW}={neg}
password = input("Password: ")
password = get_password(user)
token = response.json()["token"]
{kw} = self.{ident}.{kw}
def set_password(self, password: str) -> None:
api_key: str | None = None
if not token: raise ValueError("token is required")
# password must have at least {num} characters
passwordField.setText("");
"password": {{"type": "string", "minLength": {num}}},
commit {sha}
Merge: {sha} {sha}
index {sha}..{sha} 100644
{sha}  {ident}-{ver}.tar.gz
"integrity": "{tok}",
resolved "https://registry.npmjs.org/{ident}/-/{ident}-{ver}.tgz#{sha}"
{ident}=={ver} --hash=sha256:{sha}
request_id={uuid} status=200 took={num}ms
trace {uuid}
class="{tok} {tok}"
id="{uuid}"
nonce="{tok}"
Order {ord} shipped on {date}
Invoice {ord} total {amt}
tracking number {ord}
ISBN {ord}
version {ver} released {date}
upgrade {ident} from {ver} to {ver}
ping {ip}
listen {ip}
{ts} INFO worker {num} started in {num}ms
{ts} ERROR {ident} failed with code {num}
{ident}({num}, {num}, {num})
x = [{num}, {num}, {num}, {num}]
git clone {ex}
mail {ex}
e.g. {ex}
{blob}
fingerprint: {sha}
NPI {npi}
MRN: {mrn}
order id {uuid}
part no. {ord}, qty {num}
see {url}
token count: {num}
The token is «invalid|expired|missing» or «has expired|malformed».
Use a strong password and «never share it|store it in a vault|rotate it often».
Set the API key in {neg}.
Replace {neg} with your own key.
Call the «function|method|constructor» with {num} arguments.
«May|June|April|Summer» is «busy|warm|the deadline|when we ship».
«Paris|Austin|Madison|Jordan|Florence|Georgia|Chelsea|Sydney|Victoria|Lincoln|Houston|Charlotte» is «lovely|far|where we met|on the map».
«Will|Grant|Mark|Bill|Jack|Faith|Hope|Rich|Art|Drew|Chase|Rob|Sue|Pat|Frank» the «box|form|changes|ticket» «please|»?
Add a «bill|mark|grant|drew|chase|rose|robin|jasmine|pepper|basil|ginger» to the list.
«Python|Ruby|Jenkins|Maven|Apache|Kafka|Julia|Ada|Pascal|Django|Oracle|Lambda|Celery|Flask|Jasmine|Mocha» «fails|runs|is installed».
«Dijkstra|Bayes|Fourier|Gauss|Euler|Newton|Markov|Levenshtein|Huffman|Bloom|Merkle|Kalman» «algorithm|filter|distance|transform|tree|chain»
The «disclosure|agreement|contract|privilege|matter|confidential computing|secret|settlement» «is described below|of the class|does not apply».
As a matter of fact, it «works|does not matter|matters».
Ticket «#|no. »{num} was closed in «{ver}|{month}».
ext. {num}, room {num}, building {num}
{num} {ident} Street was renamed
port {num}, timeout {num}, retries {num}
{co} «reported|announced|bought» {co2} for {amt}.
The flight to {city} leaves at {time} on {date}.
Temperatures in {city} reached {num} degrees on {date}.
Version {ver} of {ident} supports {city}.
«Dear customer|Dear Sir or Madam|Hi all|Hello team|Dear colleagues|To whom it may concern|Hi there|Hi everyone»,
«Thanks|Regards|Best|Cheers|Sincerely»,\\nThe {co} Team
«Please|Kindly» «read|sign|return» the «contract|form|document» by {dow}.
The card «ends in|ending» {cvv} «expired|was declined».
My PIN is not something I share.
I forgot my password «again|, can you reset it?|and the link does not work».
What is your phone number?
The «new|annual|first» {dept} report is due on {date} at {time}.
""".splitlines()
