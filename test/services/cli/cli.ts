/** Runs commands of `nsq` in process, against a real nsqd. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Effect, Exit, FileSystem, Layer, References, Stdio, Stream } from "effect"
import { Command } from "effect/cli"
import type { Broker } from "../../../src/broker.ts"
import { CliError } from "../../../src/services/cli/CliError.ts"
import { nsq } from "../../../src/services/cli/Nsq.ts"
import * as Presenter from "../../../src/services/cli/Presenter.ts"
import { NodeClient } from "../../../src/services/client/index.ts"
import * as NodeDisk from "../../../src/services/nsqd/disk/NodeDisk.ts"
import { Nsqd } from "../../../src/services/nsqd/Nsqd.ts"
import type { Changes } from "../../../src/services/nsqd/options/NsqdOptions.ts"

/** An nsqd on free ports, with a data directory of its own. */
export const daemonWith = (options: Changes): Layer.Layer<Nsqd | Broker> =>
  Layer.unwrap(Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const dataPath = yield* files.makeTempDirectoryScoped()
    return Nsqd.layerWith({ dataPath, tcpAddress: "127.0.0.1:0", httpAddress: "127.0.0.1:0", ...options })
  })).pipe(Layer.provide(NodeServices.layer), Layer.orDie)

/** The same with the defaults. */
export const daemon = daemonWith({})

/** The result of a command. */
export interface Ran {
  readonly exit: Exit.Exit<void, unknown>
  /** What it printed on standard output. */
  readonly out: string
  /** What it printed on standard error while it ran. */
  readonly err: string
}

/** The exit code and the message of a command that failed for a reason of its own. */
export const failureOf = ({ exit }: Ran): readonly [code: number, message: string] | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const error = Cause.findErrorOption(exit.cause)
  return error._tag === "Some" && error.value instanceof CliError
    ? [error.value.exitCode, error.value.message]
    : undefined
}

const runWith = Command.runWith(nsq, { version: "0" })

/** Runs a command with the input; without `input`, standard input is empty. `onError` gets each line of standard error at once. */
export const runAlone = Effect.fnUntraced(function*(
  args: ReadonlyArray<string>,
  input = "",
  onError: (line: string) => void = () => {}
) {
  const lines: Array<string> = []
  const errors: Array<string> = []
  const console = yield* Console.Console
  const captured = Object.assign(Object.create(console), {
    log: (line: unknown) => lines.push(String(line)),
    error: (line: unknown) => {
      errors.push(String(line))
      onError(String(line))
    }
  })
  const stdin = Layer.effect(
    Stdio.Stdio,
    Effect.map(Stdio.Stdio, (stdio) => ({ ...stdio, stdin: Stream.make(Buffer.from(input)) }))
  )
  const exit = yield* Effect.exit(runWith(args)).pipe(
    Effect.provide([
      Layer.provideMerge(stdin, NodeServices.layer),
      NodeClient.layer,
      NodeDisk.layer,
      Presenter.layer,
      Layer.succeed(References.MinimumLogLevel, "Fatal")
    ]),
    Effect.provideService(Console.Console, captured)
  )
  const ran: Ran = { exit, out: lines.join("\n"), err: errors.join("\n") }
  return ran
})

/** Runs a command against the nsqd of the environment. */
export const run = Effect.fnUntraced(function*(args: ReadonlyArray<string>, input = "") {
  const { httpPort, tcpPort } = yield* Nsqd
  return yield* runAlone([
    ...args,
    `--nsqd-http-address=127.0.0.1:${httpPort}`,
    `--nsqd-tcp-address=127.0.0.1:${tcpPort}`
  ], input)
})
