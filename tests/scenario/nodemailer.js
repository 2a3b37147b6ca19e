// node nodemailer.js PORT none|starttls|implicit TO FILE: sends FILE as it stands.
const [port, tls, to, file] = process.argv.slice(2);
const transport = require('nodemailer').createTransport({
  host: '127.0.0.1', port: Number(port), secure: tls === 'implicit', requireTLS: tls === 'starttls', ignoreTLS: tls === 'none',
  name: 'client.example.net', tls: { rejectUnauthorized: false },
});
transport.sendMail({ envelope: { from: 'me@example.net', to: [to] }, raw: require('fs').readFileSync(file) })
  .then((info) => { if (!/^250/.test(info.response)) throw new Error(info.response); transport.close(); })
  .catch((error) => { console.error(error); process.exit(1); });
