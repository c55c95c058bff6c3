/** Arguments and flags that several commands have. A value that is not valid is refused before any request. */
import { Option } from "effect"
import { Argument, Flag } from "effect/cli"
import { isValidName } from "../../protocol/client/Names.ts"

const rule = "1 to 64 letters, digits, dots, dashes or underscores, with or without #ephemeral at the end"

const named = (name: string, description: string) =>
  Argument.String(name).pipe(
    Argument.withDescription(description),
    Argument.filter(isValidName, () => rule)
  )

/** A topic. */
export const topic = named("topic", "Name of the topic")

/** A channel. */
export const channel = named("channel", "Name of the channel")

/** A filter of messages by a value of their JSON. */
export const where = Flag.String("where").pipe(
  Flag.withDescription("Only JSON with this value at a path, for example user.id=42"),
  Flag.filter((text) => text.indexOf("=") > 0, () => "a path and a value, for example user.id=42"),
  Flag.optional
)

/** A whole number. Effect's own flag of integers says that it expects "a string representing a finite number". */
export const integer = (name: string): Flag.Flag<number> =>
  Flag.String(name).pipe(
    Flag.withMetavar("integer"),
    Flag.filterMap(
      (text) => /^-?\d{1,15}$/.test(text) ? Option.some(Number(text)) : Option.none(),
      () => "a whole number"
    )
  )

/** A topic, as a flag. */
export const topicFlag = Flag.String("topic").pipe(Flag.filter(isValidName, () => rule))
