/**
 * The program `nsqd`: reads the command line, builds the daemon's Layer and runs it. What it does with messages is in
 * the services.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import process from "node:process"
import * as NsqLogger from "../services/logging/NsqLogger.ts"
import { Nsqd } from "../services/Nsqd.ts"
import * as NsqdFlags from "../services/options/NsqdFlags.ts"
import * as NsqdOptions from "../services/options/NsqdOptions.ts"
import { NsqdStartError } from "../services/options/NsqdStartError.ts"
import { RuntimeOptions } from "../services/options/RuntimeOptions.ts"
import * as Version from "../services/options/Version.ts"
import * as Main from "./main.ts"

const readConfig = (file: string): Effect.Effect<void, NsqdStartError> =>
  file === ""
    ? Effect.void
    : Effect.fail(
      new NsqdStartError({ stage: `load config file ${file}`, detail: "config files are not implemented yet" })
    )

const run = ({ config, given, warnings }: NsqdFlags.NsqdCommand): void => {
  const { logFormat: format, logLevel: level, logPrefix: prefix } = { ...NsqdOptions.defaults(), ...given }
  const start = Effect.andThen(readConfig(config), Effect.forEach(warnings, (warning) => Effect.logWarning(warning)))
  Main.runDaemon({
    layer: Nsqd.layer.pipe(
      Layer.provide(RuntimeOptions.layer),
      Layer.provide(Layer.effectDiscard(start)),
      Layer.provideMerge(NsqLogger.layer({ format, level, prefix })),
      Layer.provide(NsqdOptions.layer(given))
    ),
    fatalLogs: NsqLogger.layer({ format, level: "fatal", prefix: "[nsqd] " }),
    reload: Nsqd.use((nsqd) => nsqd.reload),
    failed: Nsqd.use((nsqd) => nsqd.failed)
  })
}

const command = Main.commandOrExit(NsqdFlags.parse(process.argv.slice(2)), NsqdFlags.usage)
if (command.version) Main.printAndExit(Version.banner("nsqd"))
else run(command)
