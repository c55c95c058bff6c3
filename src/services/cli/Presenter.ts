/**
 * Where `nsq` prints help and the errors of a command line: help on standard output if it is requested. An error stands alone on
 * standard error, so that a program that reads the output gets results only.
 */
import { Console, Effect, type Layer } from "effect"
import { CliOutput } from "effect/cli"

/** The presenter of every command. */
export const layer: Layer.Layer<never> = CliOutput.layerPresenter({
  present: Effect.fnUntraced(function*(event) {
    if (event._tag === "InvalidInvocation") {
      const command = event.commandPath.join(" ")
      for (const { message } of event.errors) yield* Console.error(`nsq: ${message.trimEnd()}`)
      return yield* Console.error(`${command} --help lists its arguments, flags and examples`)
    }
    if (event._tag === "Version" || event.reason === "Requested") {
      return yield* CliOutput.defaultPresenter.present(event)
    }
    const formatter = yield* CliOutput.Formatter
    yield* Console.error(formatter.formatHelpDoc(event.helpDoc))
  })
})
