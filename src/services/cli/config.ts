/**
 * `nsq config`: checks the options of a daemon, and turns those of an NSQ installation into a config file that explains each one
 * (docs/cli.md#config).
 */
import { Effect, Struct } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { stringify } from "smol-toml"
import * as NsqadminOptions from "../nsqadmin/NsqadminOptions.ts"
import * as NsqdOptions from "../nsqd/options/NsqdOptions.ts"
import * as NsqlookupdOptions from "../nsqlookupd/NsqlookupdOptions.ts"
import type { Settings } from "../options/DaemonOptions.ts"
import type { OptionKind } from "../options/OptionKind.ts"
import type { OptionsError } from "../options/OptionsError.ts"
import type { OptionTable } from "../options/OptionTable.ts"
import { type CliError, invalidArgument } from "./CliError.ts"
import * as Output from "./Output.ts"

/** A daemon whose options are read. */
interface Daemon<Options> {
  readonly table: OptionTable<Options>
  readonly defaults: () => Options
  readonly fromCommandLine: (
    args: ReadonlyArray<string>,
    environment: {}
  ) => Effect.Effect<Settings<Options>, OptionsError>
  readonly check: (options: Options) => Effect.Effect<unknown, OptionsError>
}

/** What the options of a daemon are. */
interface Report {
  readonly warnings: ReadonlyArray<string>
  /** The options that differ from the defaults, with their help text. */
  readonly changed: ReadonlyArray<{ readonly key: string; readonly help: string; readonly value: unknown }>
}

/** The value as a config file has it. Numbers, switches and lists have types in TOML, everything else is a string. */
const toToml = <A>({ format, placeholder, render }: OptionKind<A>, value: A): unknown => {
  const shown = render(value)
  const isTyped = shown._tag === "Json" &&
    (Array.isArray(shown.json) || typeof shown.json === "boolean" || placeholder === "int" || placeholder === "float")
  return isTyped ? shown.json : format(value).replace(/^"(.*)"$/s, "$1")
}

const invalid = ({ message }: OptionsError): CliError => invalidArgument(message)

/** Reads the options as the daemon does when it starts, and checks them. */
const read = <Options extends object>(daemon: Daemon<Options>) => (args: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { defaults, table } = daemon
    const { options, warnings } = yield* daemon.fromCommandLine(args, {})
    yield* daemon.check(options)
    const initial = defaults()
    const changed = Struct.keys(table)
      .filter((field) => table[field].kind.format(options[field]) !== table[field].kind.format(initial[field]))
      .map((field) => {
        const { help, key, kind } = table[field]
        return { key, help, value: toToml(kind, options[field]) }
      })
    return { warnings, changed } satisfies Report
  }).pipe(Effect.mapError(invalid))

const daemons = {
  nsqd: read({ ...NsqdOptions, check: (options) => NsqdOptions.check(options) }),
  nsqlookupd: read(NsqlookupdOptions),
  nsqadmin: read(NsqadminOptions)
}

const daemon = Argument.Literals("daemon", ["nsqd", "nsqlookupd", "nsqadmin"]).pipe(
  Argument.withDescription("The daemon that the options are for")
)

const check = Command.make(
  "check",
  {
    daemon,
    file: Argument.String("file").pipe(Argument.withDescription("The config file"))
  },
  Effect.fnUntraced(function*({ daemon, file }) {
    const { changed, warnings } = yield* daemons[daemon]([`--config=${file}`])
    const lines = [...warnings.map((warning) => `warning: ${warning}`), `${file}: ${changed.length} options, valid`]
    yield* Output.printResult(lines.join("\n"), { file, options: changed.length, warnings })
  })
).pipe(
  Command.withDescription("Check a config file as the daemon does when it starts"),
  Command.withExamples([{ command: "nsq config check nsqd /etc/nsq/nsqd.cfg", description: "Before a restart" }])
)

const comment = (text: string): string => `# ${text}`

const migrate = Command.make(
  "migrate",
  {
    daemon,
    config: Flag.String("from").pipe(Flag.withDescription("A config file of NSQ's daemon"), Flag.optional),
    flags: Argument.String("flag").pipe(
      Argument.withDescription("Flags of NSQ's daemon, after --"),
      Argument.variadic()
    )
  },
  Effect.fnUntraced(function*({ config, daemon, flags }) {
    const files = config._tag === "Some" ? [`--config=${config.value}`] : []
    const { changed, warnings } = yield* daemons[daemon]([...files, ...flags])
    const lines = changed.flatMap(({ help, key, value }) => ["", comment(help), stringify({ [key]: value }).trimEnd()])
    const text = [
      comment(`Options of ${daemon} that differ from the defaults.`),
      ...warnings.map((warning) => comment(`warning: ${warning}`)),
      ...lines
    ].join("\n")
    const options = Object.fromEntries(changed.map(({ key, value }) => [key, value]))
    yield* Output.printResult(text, { daemon, options, warnings })
  })
).pipe(
  Command.withDescription(
    "Write the options of an NSQ config file or command line as a config file that explains each"
  ),
  Command.withExamples([
    { command: "nsq config migrate nsqd --from /etc/nsqd.cfg", description: "From a config file" },
    {
      command: "nsq config migrate nsqd -- --mem-queue-size=0 --max-msg-timeout=1h",
      description: "From a command line"
    }
  ])
)

/** The command `nsq config`. */
export const config = Command.make("config").pipe(
  Command.withDescription("Check and migrate the options of daemons"),
  Command.withSubcommands([check, migrate]),
  Command.withExamples([{ command: "nsq config check nsqd /etc/nsq/nsqd.cfg", description: "Before a restart" }])
)
