/**
 * Whether a daemon has to tell the one who stopped it that something is lost: a program exits with 1 then, although it stopped
 * in order. Whoever loses something while the daemon stops writes it here.
 */
import { Context } from "effect"

export interface ExitStatus {
  failed: boolean
}

export const ExitStatus: Context.Reference<ExitStatus> = Context.Reference("effect-nsq/ExitStatus", {
  defaultValue: (): ExitStatus => ({ failed: false })
})
