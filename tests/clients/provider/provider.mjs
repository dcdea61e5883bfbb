// An identity provider: oidc-provider on a free port of 127.0.0.1, which it prints. It knows whoever signs in: their groups
// stand behind their name, as in `ana:staff,auditors`. The client `agent` gets opaque tokens of its own, in the group `readers`,
// which the client `sluice` may ask about.
//
//   node provider.mjs MODULES CALLBACK
//
// MODULES is the directory with its node_modules, CALLBACK the redirect URI of the client `sluice`.

import http from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, callback] = process.argv.slice(2);
const library = join(modules, 'node_modules/oidc-provider/lib/index.js');
const { default: Provider } = await import(pathToFileURL(library));

const server = http.createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      { client_id: 'sluice', client_secret: 'only-for-tests', redirect_uris: [callback] },
      {
        client_id: 'sluice-cli',
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        redirect_uris: ['http://127.0.0.1/callback'],
      },
      {
        client_id: 'agent',
        client_secret: 'only-for-tests',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    features: {
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
    },
    extraTokenClaims: (_, token) => (token.kind === 'ClientCredentials' ? { groups: ['readers'] } : undefined),
    claims: { openid: ['sub', 'name', 'groups'] },
    // The groups go into the ID token itself.
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    cookies: { keys: ['only for tests'] },
    findAccount: (_, id) => {
      const [name, groups = ''] = id.split(':');
      const claims = { sub: id, name, groups: groups.split(',').filter(Boolean) };
      return { accountId: id, claims: () => claims };
    },
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
