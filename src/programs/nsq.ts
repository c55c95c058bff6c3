/**
 * The program `nsq`, for everything that is not a drop-in for one of NSQ's programs: `nsq standalone` runs the daemons for
 * development, `nsq data` works on the data directory of a stopped nsqd, the others work on a cluster. `nsq nsqd` is the program `nsqd`,
 * and so on; under the name of another program, as a link to the single executable has it, it is that program.
 */
import { basename } from "node:path"
import process from "node:process"
import * as Arguments from "./arguments.ts"

/** Loaded on demand: each is a program of its own, which runs when it is loaded. */
const programs: ReadonlyMap<string, () => Promise<unknown>> = new Map([
  ["nsqd", () => import("./nsqd.ts")],
  ["nsqlookupd", () => import("./nsqlookupd.ts")],
  ["nsqadmin", () => import("./nsqadmin.ts")],
  ["nsq_stat", () => import("./nsq_stat.ts")],
  ["nsq_tail", () => import("./nsq_tail.ts")],
  ["nsq_to_file", () => import("./nsq_to_file.ts")],
  ["nsq_to_http", () => import("./nsq_to_http.ts")],
  ["nsq_to_nsq", () => import("./nsq_to_nsq.ts")],
  ["to_nsq", () => import("./to_nsq.ts")],
  ["standalone", () => import("./standalone.ts")]
])

const start = (): Promise<unknown> => {
  const [, path = "", command = ""] = process.argv
  const name = basename(path)
  const own = programs.get(name)
  if (own !== undefined) return own()
  const named = command === "standalone" ? undefined : programs.get(command)
  if (named !== undefined) {
    process.argv.splice(1, 2, command)
    return named()
  }
  const [, ...args] = Arguments.read()
  // What `npx effect-nsq` runs.
  if (command === "standalone" || (command === "" && name === "effect-nsq")) {
    return import("./runStandalone.ts").then(({ run }) => run(args))
  }
  return command === "data"
    ? import("./runData.ts").then(({ run }) => run(args))
    : import("./runNsq.ts").then(({ main }) => main(process.argv.slice(2)))
}

void start()
