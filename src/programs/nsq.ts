/**
 * The program `nsq`, for commands that NSQ does not have. `nsq standalone` runs the daemons for development.
 */
import process from "node:process"
import * as Arguments from "./arguments.ts"
import * as Standalone from "./runStandalone.ts"

const [command, ...args] = Arguments.read()
if (command === "standalone") {
  Standalone.run(args)
} else {
  process.stderr.write(
    "usage: nsq standalone [flags]\n\nruns nsqlookupd, nsqd and nsqadmin in one process, for development\n"
  )
  process.exit(command === undefined || command === "--help" || command === "-h" ? 0 : 2)
}
