// An in-memory OpenID provider that answers client_credentials with a JWT signed by Ed25519: how fast a well-known
// library hands out tokens. A program of its own; PORT.
import { generateKeyPairSync } from 'node:crypto'
import { Provider } from 'oidc-provider'

const RESOURCE = 'urn:bench'
const { privateKey } = generateKeyPairSync('ed25519')

const provider = new Provider(`http://127.0.0.1:${process.env.PORT}`, {
  clients: [
    {
      client_id: 'bench',
      client_secret: 'bench-secret',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: 'EdDSA',
    },
  ],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'bench', use: 'sig', alg: 'EdDSA' }] },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => RESOURCE,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'use',
        audience: RESOURCE,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 86_400,
        jwt: { sign: { alg: 'EdDSA' } },
      }),
    },
  },
})

provider.listen(Number(process.env.PORT), '127.0.0.1')
