// The status page for whoever runs the site: one page, rendered here, no script, no asset. Shows, and syncs on demand.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { getCookie, setCookie } from 'hono/cookie'
import { html, raw } from 'hono/html'
import { type DevelopmentState, WATERMARK } from '../development.ts'
import { problem } from '../front/app.ts'
import { isInternalKey, type LocalContext } from './api.ts'
import type { LicenseStanding, Standing } from './standing.ts'
import { STYLE } from './style.ts'

const COOKIE = 'leasehold_relay'
const FORM_BYTES = 4096
const SESSION_SECONDS = 8 * 3600
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

/**
 * Behind the internal API key, typed once into a form. The session is a signed cookie (SameSite=Strict, HttpOnly); every
 * button carries a token made of it, so that another site can press none (CSRF).
 */
export function mountPage(app: Hono, context: LocalContext): void {
  // Ends with the process: everybody signs in again after a restart.
  const secret = randomBytes(32)
  const sign = (text: string): string => createHmac('sha256', secret).update(text).digest('base64url')

  const sessionOf = (c: Context): string | null => {
    const [until = '', nonce = '', signature = ''] = (getCookie(c, COOKIE) ?? '').split('.')
    const good =
      isSame(signature, sign(`session.${until}.${nonce}`)) && Number(until) > context.standing().at / 1000
    return good ? `${until}.${nonce}` : null
  }
  const buttonToken = (session: string): string => sign(`button.${session}`)

  app.use('/', guarded)
  app.use('/page/*', guarded)
  const onError = (c: Context) => problem(c, 'body_too_large', `The form is over ${FORM_BYTES} bytes.`)
  app.use('/page/*', bodyLimit({ maxSize: FORM_BYTES, onError }))
  app.get('/', (c) => {
    const session = sessionOf(c)
    if (session === null) return c.html(signInPage(context.internalKey !== null, null), 401)
    return c.html(statusPage(context.standing(), buttonToken(session), c.req.query('synced')))
  })
  app.post('/page/sign-in', async (c) => {
    const { key } = await c.req.parseBody()
    if (!isInternalKey(context.internalKey, typeof key === 'string' ? key : null)) {
      return c.html(signInPage(context.internalKey !== null, 'This is not the internal API key.'), 401)
    }
    const session = `${Math.floor(context.standing().at / 1000) + SESSION_SECONDS}.${randomBytes(16).toString('hex')}`
    setCookie(c, COOKIE, `${session}.${sign(`session.${session}`)}`, {
      httpOnly: true,
      secure: context.overTls,
      sameSite: 'Strict',
      path: '/',
      maxAge: SESSION_SECONDS,
    })
    return c.redirect('/', 303)
  })
  app.post('/page/sync', async (c) => {
    const session = sessionOf(c)
    const { token } = await c.req.parseBody()
    const pressedHere =
      session !== null && isSame(typeof token === 'string' ? token : '', buttonToken(session))
    if (!pressedHere) return c.html(signInPage(context.internalKey !== null, 'Sign in again.'), 403)
    const outcome = await context.sync.now()
    return c.redirect(`/?synced=${outcome.kind}`, 303)
  })
}

async function guarded(c: Context, next: () => Promise<void>): Promise<void> {
  await next()
  c.header('Content-Security-Policy', POLICY)
  c.header('X-Content-Type-Options', 'nosniff')
  c.header('Referrer-Policy', 'no-referrer')
  c.header('Cache-Control', 'no-store')
}

const isSame = (a: string, b: string): boolean => {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

type Content = ReturnType<typeof html>

const shell = (title: string, content: Content): Content => html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>${title}</title>
    <style>
      ${raw(STYLE)}
    </style>
  </head>
  <body>
    <main>${content}</main>
  </body>
</html>`

function signInPage(hasKey: boolean, wrong: string | null): Content {
  if (!hasKey) {
    return shell(
      'License relay',
      html`<h1>License relay</h1>
        <p>Set <code>SECRET_INTERNAL_API_KEY</code> and start the relay again to see this page.</p>`,
    )
  }
  return shell(
    'License relay: sign in',
    html`<h1>License relay</h1>
      ${wrong === null ? '' : html`<p class="bad" role="alert">${wrong}</p>`}
      <form method="post" action="/page/sign-in">
        <label for="key">Internal API key</label>
        <input id="key" name="key" type="password" autocomplete="current-password" required autofocus />
        <button>Sign in</button>
      </form>`,
  )
}

const OUTCOMES: Readonly<Record<string, string>> = {
  done: 'Synced just now.',
  away: 'The vendor could not be reached; what is kept stays in force.',
  refused: "The vendor did not accept this relay's key. Enrol the relay again.",
}

const DEVELOPMENT: Readonly<Record<DevelopmentState, Content | ''>> = {
  off: '',
  configured: html`<p class="bad">${WATERMARK}. One is configured; nothing of it is served while the vendor has told of a license.</p>`,
  served: html`<p class="bad">${WATERMARK}. It is served now, because the vendor has told of no license.</p>`,
}

function statusPage(standing: Standing, token: string, synced: string | undefined): Content {
  const { upstream, sync, queue, licenses } = standing
  const said = synced === undefined ? undefined : OUTCOMES[synced]
  return shell(
    'License relay',
    html`<header>
        <h1>License relay</h1>
        <form method="post" action="/page/sync">
          <input type="hidden" name="token" value="${token}" />
          <button>Sync now</button>
        </form>
      </header>
      ${said === undefined ? '' : html`<p role="status">${said}</p>`}
      ${DEVELOPMENT[standing.development]}
      <dl>
        <div><dt>Vendor</dt><dd class="${upstream.away === false ? 'good' : 'bad'}">${reach(standing)}</dd></div>
        <div><dt>Live channel</dt><dd>${upstream.live ? 'open' : 'closed'}</dd></div>
        <div><dt>Last sync</dt><dd>${when(standing.syncedAt)}</dd></div>
        <div><dt>Last error</dt><dd>${sync.lastError ?? 'none'}</dd></div>
        <div><dt>Reports waiting</dt><dd>${queue.length} (${kilobytes(queue.bytes)}${
          queue.oldestAt === null ? '' : html`, oldest of ${when(queue.oldestAt)}`
        })</dd></div>
        <div><dt>Reports dropped</dt><dd>${queue.dropped}</dd></div>
        <div><dt>Server fingerprint</dt><dd><code>${standing.fingerprint}</code></dd></div>
      </dl>
      <h2>Licenses</h2>
      ${licenses.length === 0 ? html`<p>None was synced yet.</p>` : licenseTable(licenses)}`,
  )
}

const licenseTable = (licenses: readonly LicenseStanding[]): Content => html`<table>
  <thead>
    <tr>
      <th scope="col">License</th><th scope="col">Product</th><th scope="col">Tier</th><th scope="col">Status</th>
      <th scope="col">Freshness</th><th scope="col">Ends</th><th scope="col">Instances</th>
      <th scope="col">Leased seats</th>
    </tr>
  </thead>
  <tbody>
    ${licenses.map(
      (license) => html`<tr>
        <td><code>${license.license_id}</code><br />${license.organization_name}</td>
        <td>${license.product}</td>
        <td>${license.tier}</td>
        <td class="${license.status === 'active' ? 'good' : 'bad'}">${license.status}${
          license.foreignMachine ? ' (bound to another machine)' : ''
        }</td>
        <td><span class="state ${license.state}">${license.state}</span></td>
        <td>${license.expires_at === null ? 'never' : `${license.expires_at.slice(0, 10)} (${days(license)})`}</td>
        <td>${license.instances}</td>
        <td>${license.leased} of ${license.allotment?.seats ?? 0}</td>
      </tr>`,
    )}
  </tbody>
</table>`

const reach = ({ upstream }: Standing): string =>
  `${upstream.url} ${upstream.away === null ? 'not asked yet' : upstream.away ? 'cannot be reached' : 'answers'}`

const when = (ms: number | null): string =>
  ms === null || ms === 0 ? 'never' : `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`

const days = ({ daysLeft }: LicenseStanding): string =>
  daysLeft === null ? '' : daysLeft < 0 ? 'over' : daysLeft === 1 ? '1 day' : `${daysLeft} days`

const kilobytes = (bytes: number): string => `${Math.ceil(bytes / 1024)} kB`
