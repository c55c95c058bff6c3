/**
 * The program `nsq`: what has no name in NSQ. `nsq standalone` runs a broker for development.
 */
import process from "node:process"
import * as Arguments from "./arguments.ts"
import * as Standalone from "./runStandalone.ts"

const [command, ...args] = Arguments.read()
if (command === "standalone") {
  Standalone.run(args)
} else {
  process.stderr.write("usage: nsq standalone [flags]\n\nruns nsqlookupd and nsqd in one process, for development\n")
  process.exit(command === undefined || command === "--help" || command === "-h" ? 0 : 2)
}
