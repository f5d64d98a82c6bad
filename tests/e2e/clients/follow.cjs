// Follows decisions with crowdsec-client, and writes what it holds into a file.
//
//   follow.cjs URL KEY FILE
const fs = require('fs');
const { BouncerClient } = require('crowdsec-client');

const [url, apiKey, file] = process.argv.slice(2);
const held = {};
const name = (decision) => `${decision.type} ${decision.value}`;

(async () => {
  const client = new BouncerClient({ url, auth: { apiKey } });
  await client.login();
  const stream = client.Decisions.getStream({
    interval: 1000, scopes: ['ip', 'range', 'country', 'as'],
  });
  stream.on('added', (decision) => { held[name(decision)] = decision.scope; });
  stream.on('deleted', (decision) => { delete held[name(decision)]; });
  stream.on('error', (error) => console.error(`${error}`));
  stream.resume();
  setInterval(() => {
    fs.writeFileSync(`${file}.new`, JSON.stringify(held));
    fs.renameSync(`${file}.new`, file);
  }, 100);
})().catch((error) => { console.error(error); process.exit(1); });
