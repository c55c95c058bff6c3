/** `nsq completion`: prints the completions of a shell. */
import { Console, Effect } from "effect"
import { Argument, Command, Completions } from "effect/cli"

const shells = [["bash", "bash"], ["zsh", "zsh"], ["fish", "fish"], ["powershell", "powershell"]] as const

/** The command, which completes the commands of `root`. */
export const completionOf = (root: () => Command.Command.Any) =>
  Command.make(
    "completion",
    { shell: Argument.ChoiceWithValue("shell", shells) },
    Effect.fnUntraced(function*({ shell }) {
      const command = root()
      yield* Console.log(Completions.generate(command.name, shell, Completions.fromCommand(command)))
    })
  ).pipe(
    Command.withDescription("Print the completions of a shell"),
    Command.withExamples([
      { command: "source <(nsq completion bash)", description: "For this shell; in ~/.bashrc for every shell" },
      { command: "nsq completion fish > ~/.config/fish/completions/nsq.fish", description: "For every fish" }
    ])
  )
