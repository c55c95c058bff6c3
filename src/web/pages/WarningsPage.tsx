import { useAtomValue } from "@effect/atom-react"
import { Notice } from "../components/Notice.tsx"
import { Waiting } from "../components/Waiting.tsx"
import { liveAtom } from "../live/live.ts"
import { WarningList } from "../warnings/WarningList.tsx"
import * as Words from "../warnings/words.ts"

/** The page of the warnings. */
export const WarningsPage = () => {
  const { at, warnings } = useAtomValue(liveAtom)
  return (
    <>
      <h1>Warnings</h1>
      {at === 0
        ? <Waiting />
        : warnings.length === 0
        ? <Notice kind="success">No warnings.</Notice>
        : <WarningList warnings={warnings.toSorted(Words.bySeverity)} now={at} />}
    </>
  )
}
