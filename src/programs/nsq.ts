/**
 * The program `nsq`, for commands that NSQ does not have: `nsq standalone` runs the daemons for development, `nsq data` works on
 * the data directory of a stopped nsqd.
 */
import process from "node:process"
import * as Arguments from "./arguments.ts"
import * as Data from "./runData.ts"
import * as Standalone from "./runStandalone.ts"

const usage = `usage: nsq <command> [flags]

  standalone    runs nsqlookupd, nsqd and nsqadmin in one process, for development
  data          verifies, exports and imports the data directory of a stopped nsqd

nsq <command> --help lists the flags of a command
`

const [command, ...args] = Arguments.read()
if (command === "standalone") {
  Standalone.run(args)
} else if (command === "data") {
  Data.run(args)
} else {
  process.stderr.write(usage)
  process.exit(command === undefined || command === "--help" || command === "-h" ? 0 : 2)
}
