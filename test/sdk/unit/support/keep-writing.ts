// Run by the disk tests as a process of its own, to be killed while it writes: whole texts of one letter, again and again.
import { nodeHost } from '../../../../src/sdk/host/node.ts'

const [folder = '', name = ''] = process.argv.slice(2)
const storage = await nodeHost().openStorage(folder, 'test')
if (!storage) throw new Error('no storage')
await storage.lead()
process.stdout.write('ready\n')
for (let n = 0; ; n++) {
  await storage.write(name, String.fromCharCode(97 + (n % 26)).repeat(20_000))
}
