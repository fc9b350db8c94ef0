// The Node server as a target: a real process.
import { caller } from '../support/app.ts'
import { workplace } from '../support/leasehold-process.ts'
import { adminOf, prepare, type Target } from './prepared.ts'
import { describeInstanceApi } from './suite.ts'

describeInstanceApi('the Node server', startNode)

async function startNode(): Promise<Target> {
  const { env, drop, ...prepared } = await prepare()
  const place = workplace()
  const stop = async () => {
    await place.clear()
    await drop()
  }
  try {
    const server = await place.start({ dataDir: await place.dataDir(), env })
    const call = caller(server.url)
    return { ...prepared, call, admin: adminOf(call, prepared.adminKey), stop }
  } catch (error) {
    await stop()
    throw error
  }
}
