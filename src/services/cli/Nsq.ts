/**
 * The command `nsq` with all its commands. `standalone` and `data` have flags in the form of NSQ's daemons; the program runs them
 * before this module is loaded if they are its first argument, and they are here for the help text and for completions.
 */
import { Effect } from "effect"
import { Argument, Command } from "effect/cli"
import { channelCommand, topicCommand } from "./administer.ts"
import { bench } from "./bench.ts"
import { invalidArgument } from "./CliError.ts"
import { completionOf } from "./completion.ts"
import { config } from "./config.ts"
import { contextCommand } from "./contextCommand.ts"
import { doctor } from "./doctor.ts"
import { node, stat } from "./inspect.ts"
import { peek } from "./peek.ts"
import { dlq, policy, redrive } from "./policy.ts"
import { publish } from "./publish.ts"
import { root } from "./root.ts"
import { seek } from "./seek.ts"
import { subscribe, tail } from "./subscribe.ts"
import { top } from "./top.ts"

const separate = <const Name extends string>(name: Name, description: string, example: string) =>
  Command.make(
    name,
    { arguments: Argument.String("argument").pipe(Argument.variadic()) },
    () => Effect.fail(invalidArgument(`${name} has no flags before its name: nsq ${name} [flags]`))
  ).pipe(
    Command.withDescription(description),
    Command.withExamples([{ command: `nsq ${name} ${example}`, description: `nsq ${name} --help lists its flags` }])
  )

/** The completions are of every command, and one of them prints them. */
const whole = (): Command.Command.Any => nsq

/** The command with its subcommands. */
export const nsq = root.pipe(
  Command.withSubcommands([
    publish,
    subscribe,
    tail,
    peek,
    seek,
    stat,
    top,
    topicCommand,
    channelCommand,
    policy,
    dlq,
    redrive,
    node,
    contextCommand,
    bench,
    config,
    doctor,
    completionOf(whole),
    separate("standalone", "Run nsqlookupd, nsqd and nsqadmin in one process, for development", "--help"),
    separate(
      "data",
      "Verify, export, import and convert the data directory of a stopped nsqd",
      "verify --data-path=/var/lib/nsqd"
    )
  ])
)
