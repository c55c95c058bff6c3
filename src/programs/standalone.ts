/**
 * The program `standalone`: nsqlookupd and nsqd in one process, for development.
 */
import process from "node:process"
import * as Standalone from "./runStandalone.ts"

Standalone.run(process.argv.slice(2))
