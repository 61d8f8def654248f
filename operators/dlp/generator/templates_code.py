"""More lines of programs and settings, in the languages and tools that secrets are found in.

Written as those of `templates_prose`: ``{slot}`` and ``«a|b|»``.
"""

from __future__ import annotations

from typing import Final

CODE: Final = """\
var {kw} = []byte("{key}")
{kw} := "{key}"
const {kw} = "{key}"
	{pwk}: "{pw}",
	{pwk} = "{pw}"
cfg.{pwk} = "{pw}"
private String {pwk} = "{pw}";
public static final String {PWK} = "{pw}";
String {pwk} = "{pw}";
private val {kw} = "{key}"
let {pwk}: String = "{pw}"
static const char *{pwk} = "{pw}";
#define {PWK} "{pw}"
config.setPassword("{pw}");
«conn|client|session|builder».«setPassword|password|withPassword|SetPassword»("{pw}")
new NetworkCredential("{usr}", "{pw}")
new UsernamePasswordCredentials("{usr}", "{pw}")
ConvertTo-SecureString "{pw}" -AsPlainText -Force
DriverManager.getConnection(url, "{usr}", "{pw}");
server.login("{em}", "{pw}")
smtp.login("{usr}", "{pw}")
ssh.connect("{host}", username="{usr}", password="{pw}")
ftp = FTP("{host}", "{usr}", "{pw}")
auth=HTTPBasicAuth("{usr}", "{pw}")
imap.login('{em}', '{pw}')
User.objects.create_user("{usr}", "{em}", "{pw}")
client.post("/login", data={{"username": "{usr}", "password": "{pw}"}})
self.client.login(username="{usr}", password="{pw}")
page.fill("#password", "{pw}")
cy.get('input[name=password]').type('{pw}')
$mail->Password = '{pw}';
$db = new mysqli("{host}", "{usr}", "{pw}", "{ident}");
define('{PWK}', '{pw}');
define('AUTH_KEY', '{key}');
'{pwk}' => '{pw}',
"{pwk}" => "{pw}",
'{kw}' => '{key}',
:{pwk} => '{pw}'
{pwk}: '{pw}',
ALTER USER {usr} IDENTIFIED BY '{pw}';
CREATE USER {usr} WITH PASSWORD '{pw}';
CREATE ROLE {usr} LOGIN PASSWORD '{pw}';
SET PASSWORD FOR {usr} = '{pw}';
GRANT ALL ON {ident}.* TO '{usr}'@'%' IDENTIFIED BY '{pw}';
INSERT INTO users (login, password) VALUES ('{usr}', '{pw}');
psql "{db}"
PGPASSWORD={pw} psql -h {host} -U {usr}
redis-cli -h {host} -a {pw} ping
mysqldump -u{usr} -p'{pw}' {ident} > dump.sql
docker login -u {usr} -p {pw} {host}
echo "{pw}" | sudo -S «reboot|systemctl restart nginx»
echo '{usr}:{pw}' | chpasswd
net user {usr} {pw} /add
openssl enc -aes-256-cbc -k {pw} -in {ident}
curl -u "api:{key}" {url}
curl -H "X-Auth-Token: {key}" {url}
wscat -H "Authorization: Token {key}" {url}
git remote add origin https://{key}@{host}/repo.git
headers: {{ Authorization: `Bearer {key}` }},
«axios|http|fetch».defaults.headers.common["Authorization"] = "Bearer {key}";
jwt.sign(payload, "{key}")
jwt.encode(claims, "{key}", algorithm="HS256")
hmac.new(b"{key}", body, "sha256")
app.secret_key = "{key}"
SECRET_KEY = "{key}"
Stripe.apiKey = "{vkey}";
openai.api_key = "{vkey}"
twilio = Client("{uuid}", "{key}")
firebase.initializeApp({{ apiKey: "{vkey}", projectId: "{ident}" }});
// «TODO|FIXME|XXX|HACK» {f}: rotate {key}
# password for «staging|the demo box|{f}'s account» is {pw}
# old key: {key}
# reported by {n}, «fixed|confirmed» by {n2}
# Thanks to {n} for «the idea|testing|the patch».
# {n} <{em}>, {date}
@reviewer {n}
* @contact {em}
""".splitlines()

CONFIG: Final = """\
apiVersion: v1\\nkind: Secret\\nmetadata:\\n  name: {ident}\\ndata:\\n  username: {usr64}\\n  password: {pw64}
stringData:\\n  {pwk}: {pw}
  {kw}: {key64}
  {PWK}: "{pw}"
password   = "{pw}"
  password = "{pw}"
{pwk}            {pw}
<{pwk}>{pw}</{pwk}>
<property name="{pwk}" value="{pw}"/>
<add key="{PWK}" value="{pw}"/>
spring.datasource.password={pw}
spring.mail.password={pw}
«db|mail|ldap|redis|admin».password={pw}
ENV {KW}={key}
ENV {KW} {key}
ARG {KW}={key}
      - {PWK}={pw}
      - {KW}={key}
      {PWK}: {pw}
      POSTGRES_PASSWORD: {pw}
environment:\\n  MYSQL_ROOT_PASSWORD: {pw}
    vars:\\n      {pwk}: {pw}
ansible_ssh_pass={pw} ansible_user={usr}
{host}:5432:{ident}:{usr}:{pw}
set {pwk} {pw}
PSK={pw}
psk="{pw}"
secret_key_base: {key}
APP_KEY=base64:{key}
"{pwk}": "{pw}"
"connectionString": "{db}"
"ConnectionStrings": {{ "Default": "{db}" }},
"private_key": "{pem}",
client_id = {uuid}\\nclient_secret = {key}
tenant: {uuid}\\nclient_secret: "{key}"
//{host}/:_authToken={key}
[{ident}]\\naccess_key = {aws}\\nsecret_key = {awssec}
credentials: {usr}:{pw}
proxy = http://{usr}:{pw}@{host}:3128
BEGIN:VCARD\\nVERSION:3.0\\nN:{l};{f};;;\\nFN:{n}\\nTEL;TYPE=CELL:{ph}\\nEMAIL:{em}\\nEND:VCARD
Author: {n} <{em}>\\nDate:   {date}
Signed-off-by: {n} <{em}>
Reported-by: {n}
Reviewed-by: {n} <{em}>
Co-authored-by: {n} <{em}>
X-From: {n}\\nX-To: {n2}\\nX-cc: {n3}
Assigned to: {n}
organizer: {n}\\nattendees: [{n2}, {n3}, {n4}]
"author": "{n}", "title": "{phrase}"
"{n}","{phrase}","{year}"
{num},{f},{l},{em},{ph},{city},{amt}
{num};{n};{city};{dob};{ssn}
{l},{f},{city},{year}
{n}\t{city}\t{year}\t{num}
name = "{n}"
""".splitlines()

NEGATIVE: Final = """\
'password': '«Password|Passwort|Mot de passe|Enter your password|Your password»',
'«login|form|auth».password«Hint|Label|Help|Confirm»': '{phrase}',
password: «String|string|str|text|VARCHAR(255)|z.string()|Joi.string()|fields.Str()|true|null|nil|undefined|None»,
«input|label|div»[name="password"] {{ «color: red|display: none|width: 100%» }}
<input type="password" name="password" «required|autocomplete="off"|id="{tok}"»>
<label for="password">{phrase}</label>
path("«reset-password|token/refresh|api-keys|forgot-password»/", {ident}, name="{ident}")
token«_type|Type» = "«bearer|access|refresh|Bearer»"
tokens = ["NAME", "NUMBER", "STRING", "OP"]
token = next(tokens)
if token == "{ident}":
token = «tokenize|lexer|parser|stream».«next|peek|get»({ident})
key = "«ctrl+c|alt+f4|enter|user_id|created_at|name|id|primary|foreign»"
key="{ident}"
for key, value in {ident}.items():
sorted({ident}, key=lambda x: x.{ident})
secretKeyRef:\\n  name: {ident}\\n  key: {ident}
secretName: {ident}-tls
secrets:\\n  - {ident}
password_file: /run/secrets/{ident}
password: !vault |
password: ${{{{ secrets.{KW} }}}}
PASSWORD_HASHERS = ["{ident}"]
self.assertEqual(user.password, "{neg}")
check_password(password, encoded)
logger.debug("token refreshed for %s", {ident})
raise ValueError("«Invalid|Missing|Expired|Wrong» «password|token|API key|secret»")
help="«password|token|secret» «to use|of the user|for {ident}»"
def «get|make|refresh»_token({ident}, {ident}):
import secrets, getpass
public_key = "{blob}"
key_id: {uuid}
kms_key_id = "arn:aws:kms:us-east-1:{num}:key/{uuid}"
account_id: "{ord}"
"client_id": "{uuid}",
GUID("{uuid}")
{phrase} is «a|the» {ident} for {title}.
{title} {title}: {num}
{brand} «is|was|has|needs|runs|will|can» {ident}
By default, {brand} «will|does not|uses» {ident}.
«Processed|Used|Supported|Written|Handled|Left» «by|in|to» {brand}.
{brand} and {brand}
«See|Read|Open|Press|Click» {phrase}«.|:| to go on.»
{num} {brand}, VIN {tok}
«19|20»{cvv} {brand}, {num} miles
«Mount|Lake|Fort|Port|San|Saint|New|North|South|East|West» {title} is near {city}.
{city}, {city} and {city} are «cities|far|large|close».
«In|By|Since|Until» {month} the {topic} was «late|done|dry|open».
{phrase} «Guide|Manual|Page|Menu|Dialog|Window|Button|Release|Project|Foundation|Conference|Award|School|Hotel|Bakery»
«Analysts at|A spokesman for|Shares of|A report by|Customers of» {co}
{num},{city},{date},{amt}
{num};{city};{brand};{num}
{uuid},{city},{brand}
username: {usr64}
name: {blob}
""".splitlines()
