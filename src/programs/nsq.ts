/**
 * The program `nsq`, for everything that is not a drop-in for one of NSQ's programs: `nsq standalone` runs the daemons for
 * development, `nsq data` works on the data directory of a stopped nsqd, the others work on a cluster.
 */
import process from "node:process"
import * as Arguments from "./arguments.ts"
import * as Data from "./runData.ts"
import * as Standalone from "./runStandalone.ts"

const [command, ...args] = Arguments.read()
if (command === "standalone") {
  Standalone.run(args)
} else if (command === "data") {
  Data.run(args)
} else {
  // Loaded on demand: the daemons of `standalone` do not need it.
  void import("./runNsq.ts").then(({ main }) => main(process.argv.slice(2)))
}
