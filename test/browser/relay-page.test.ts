// The relay's status page in a real browser: Debian's Chromium, driven by playwright-core.
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { until } from '../support/leasehold-process.ts'
import { INTERNAL_KEY, removeRelay, startTestRelay, type TestRelay } from '../support/running-relay.ts'
import { createWorld, type World } from '../support/world.ts'

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium'
/** `.ci/run` installs it; whoever runs the tests without it is told so by the skipped suite's name. */
const hasChromium = existsSync(CHROMIUM)

let app: TestApp
let world: World
let relay: TestRelay
let browser: Browser
let page: Page
const complaints: string[] = []

describe.skipIf(!hasChromium)(`the relay's status page in ${CHROMIUM}`, () => {
  beforeAll(async () => {
    app = await startTestApp({ startAt: new Date().toISOString(), sync: { pollMs: 200 } })
    world = await createWorld(app, { license: { expires_at: '2099-01-01T00:00:00Z' } })
    relay = await startTestRelay(app, { customerId: world.customerId })
    await until(async () => (await relay.local('GET', '/api/licenses/current')).body.licensed)
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
      ],
    })
    page = await browser.newPage({ viewport: { width: 1100, height: 800 } })
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    page.on('requestfailed', (request) => complaints.push(request.url()))
  })

  afterAll(async () => {
    await browser?.close()
    await relay?.stop()
    if (relay) await removeRelay(relay)
    await app?.stop()
  })

  test('asks for the internal API key, and says when it is wrong', async () => {
    await page.goto(relay.url)
    expect(await page.getByText(world.licenseId).count()).toBe(0)
    await page.getByLabel('Internal API key').fill('not-the-key')
    await page.getByRole('button', { name: 'Sign in' }).click()
    expect(await page.getByRole('alert').textContent()).toBe('This is not the internal API key.')
    // The two refusals: the browser itself reports a status of 401.
    complaints.length = 0
  })

  test('shows licenses with their state, the queue and the last sync', async () => {
    await page.getByLabel('Internal API key').fill(INTERNAL_KEY)
    await page.getByRole('button', { name: 'Sign in' }).click()
    const row = page.getByRole('row').filter({ hasText: world.licenseId })
    const cells = await row.getByRole('cell').allTextContents()
    expect(cells.map((cell) => cell.trim()).slice(1, 5)).toEqual(['keldris', 'pro', 'active', 'synced'])
    expect(await page.getByText('0 (0 kB)').count()).toBe(1)
    expect(await page.getByText('answers').count()).toBe(1)
    expect(complaints).toEqual([])
  })

  test('syncs when the button is pressed', async () => {
    await app.admin('PATCH', `/licenses/${world.licenseId}`, { tier: 'enterprise' })
    await page.getByRole('button', { name: 'Sync now' }).click()
    expect(await page.getByRole('status').textContent()).toBe('Synced just now.')
    expect(await page.getByRole('cell', { name: 'enterprise' }).count()).toBe(1)
  })

  test('fits a narrow screen without scrolling sideways', async () => {
    await page.setViewportSize({ width: 360, height: 740 })
    const overflow = await page.evaluate(
      'document.documentElement.scrollWidth - document.documentElement.clientWidth',
    )
    expect(overflow).toBeLessThanOrEqual(0)
    await page.setViewportSize({ width: 1100, height: 800 })
  })

  test('a name cannot become markup, and no script of anybody runs', async () => {
    const company = '<img src=x onerror="document.title=1">'
    const customer = (await app.admin('GET', `/licenses/${world.licenseId}`)).body.customer_id
    await app.admin('PATCH', `/customers/${customer}`, { company })
    await page.getByRole('button', { name: 'Sync now' }).click()
    expect(await page.getByText(company).count()).toBe(1)
    expect(await page.title()).toBe('License relay')
    expect(complaints).toEqual([])
  })

  test('names a license of another machine, and a development license that is served', async () => {
    await app.admin('PATCH', `/licenses/${world.licenseId}`, { fingerprint: 'f'.repeat(64) })
    await page.getByRole('button', { name: 'Sync now' }).click()
    expect(await page.getByRole('cell', { name: 'active (bound to another machine)' }).count()).toBe(1)
    await app.admin('PATCH', `/licenses/${world.licenseId}`, { fingerprint: null })

    const file = join(relay.folder, '..', 'development.json')
    await writeFile(file, '{"tier":"dev","features":[],"limits":{}}', { mode: 0o600 })
    const bare = await startTestRelay(app, { env: { LEASEHOLD_DEVELOPMENT_LICENSE: file } })
    const other = await browser.newPage()
    await other.goto(bare.url)
    await other.getByLabel('Internal API key').fill(INTERNAL_KEY)
    await other.getByRole('button', { name: 'Sign in' }).click()
    const mark = other.getByText('DEVELOPMENT LICENSE: not for production. It is served now')
    expect(await mark.isVisible()).toBe(true)
    await other.close()
    await bare.stop()
    await removeRelay(bare)
  })

  test('another site cannot press the button', async () => {
    const other = await browser.newPage()
    await other.route('http://evil.example/', (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: `<form method="post" action="${relay.url}/page/sync"><button>Win</button></form>`,
      }),
    )
    await other.goto('http://evil.example/')
    const [answer] = await Promise.all([
      other.waitForResponse((response) => response.url().endsWith('/page/sync')),
      other.getByRole('button').click(),
    ])
    expect(answer.status()).toBe(403)
    await other.close()
  })
})

test.runIf(process.env.CI)('Chromium is there where it must be', () => {
  expect(hasChromium, `${CHROMIUM} is missing: apt-get install chromium`).toBe(true)
})
