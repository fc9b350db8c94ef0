// Entry on Node: bounds the memory before anything is loaded, then runs the server until it is told to stop.
import { boundYoungGeneration } from './server/young-generation.ts'

boundYoungGeneration()
const { main } = await import('./server/main.ts')
process.exit(await main())
