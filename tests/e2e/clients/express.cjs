// What @crowdsec/express-bouncer does with visitors: a JSON object of the status that each gets.
//
//   express.cjs URL KEY ADDRESS...
const bouncer = require('@crowdsec/express-bouncer');

const [url, apiKey, ...addresses] = process.argv.slice(2);
const customLogger = { info() {}, debug() {}, warn() {}, error: console.error };

const visit = (bounce, address) => new Promise((done) => {
  const response = {
    code: 200,
    status(code) { this.code = code; return this; },
    send() { done(this.code); },
  };
  const request = { connection: { remoteAddress: address }, method: 'GET', body: {}, headers: {} };
  bounce(request, response, () => done('passed'));
});

(async () => {
  const bounce = await bouncer({ url, apiKey, customLogger });
  const told = {};
  for (const address of addresses) told[address] = await visit(bounce, address);
  console.log(JSON.stringify(told));
  process.exit(0);
})().catch((error) => { console.error(error); process.exit(1); });
