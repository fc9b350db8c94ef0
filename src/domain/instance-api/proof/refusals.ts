// What is said to whoever does not prove what they must (T8, T9).
import { Refusal } from '../../kernel/context.ts'

export const unknownToken = () =>
  new Refusal('instance_token_unknown', 'This instance token is not known.', {
    fix: 'Register again with a proof of license (API key, license key or license JWT) to get a new one.',
  })

export const instanceIdTaken = () =>
  new Refusal('instance_id_taken', 'Another installation has proven this instance id.', {
    fix: 'Send its instance token, use an instance id of your own, or ask the vendor to reset the token.',
  })

export const secondProofRequired = () =>
  new Refusal('second_proof_required', 'An expired license JWT alone no longer proves this instance.', {
    fix: 'Send refresh_token or instance_token beside it, or exchange the API key again.',
  })

export const unknownProduct = () =>
  new Refusal('product_unknown', 'This product is not known here.', {
    fix: 'Check the product code and the server address.',
  })

export const tokenRequired = () =>
  new Refusal('instance_token_required', 'Instances of this product must prove who they are.', {
    fix: 'Send the instance token as Authorization: Bearer, or an unexpired license JWT of this instance.',
  })

export const otherInstance = () =>
  new Refusal('instance_mismatch', 'The license JWT was issued to another instance.', {
    fix: 'Send the license JWT of this instance and product.',
  })

export const seatEnded = () =>
  new Refusal('session_ended', 'The session of this license JWT was ended.', {
    fix: 'Activate again, or exchange the API key again.',
  })

export const credentialRevoked = () =>
  new Refusal('session_ended', 'The credential that this session began with was revoked.', {
    facts: { reason: 'credential_revoked' },
    fix: 'Use another API key or license key of the license.',
  })

export const jwtNotAccepted = () =>
  new Refusal('license_jwt_invalid', 'The license JWT is not one that this server accepts.', {
    fix: 'Exchange the API key or activate the license key for a new one.',
  })

export const apiKeyUnknown = () =>
  new Refusal('api_key_unknown', 'This API key is not known.', {
    fix: 'Check that the whole key was copied, and that it belongs to this server.',
  })

export const apiKeyRevoked = () =>
  new Refusal('api_key_revoked', 'API key has been revoked', { fix: 'Ask your vendor for a new one.' })

export const apiKeyExpired = () =>
  new Refusal('api_key_expired', 'API key has expired', { fix: 'Ask your vendor for a new one.' })
