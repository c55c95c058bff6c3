import { useAtomValue } from "@effect/atom-react"
import { liveAtom } from "../live/live.ts"
import { WarningList } from "./WarningList.tsx"
import * as Words from "./words.ts"

/** The warnings about a topic and its channels, or about one channel; nothing without warnings. */
export const SubjectWarnings = ({ channel, topic }: { readonly topic: string; readonly channel?: string }) => {
  const { at, warnings } = useAtomValue(liveAtom)
  const found = warnings.filter((warning) =>
    !Words.isMuted(warning) && warning.topic === topic && (channel === undefined || warning.channel === channel)
  )
  return found.length === 0
    ? null
    : <WarningList warnings={found.toSorted(Words.bySeverity)} now={at} isOwnPage={channel !== undefined} />
}
