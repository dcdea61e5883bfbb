// An identity provider that signs SAML assertions, by the library `saml`: what it asserts comes as JSON on stdin, and the
// assertion goes to stdout.
//
//   node assertion.mjs MODULES < options.json
//
// MODULES is the directory with its node_modules. The options are those of the library; `key` and `cert` are PEM.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(join(process.argv[2], 'node_modules/saml/package.json'));
const { Saml20 } = require('saml');
const options = JSON.parse(readFileSync(0, 'utf8'));
process.stdout.write(Saml20.create({ signatureAlgorithm: 'rsa-sha256', digestAlgorithm: 'sha256', ...options }));
