/** The rule for names of topics and channels. Input fields refer to it with `aria-describedby`. */
export const NameRule = ({ id, isBroken }: { readonly id: string; readonly isBroken: boolean }) => (
  <p id={id} className={isBroken ? "rule broken" : "rule"}>
    Letters, digits, dots, underscores and hyphens, optionally followed by #ephemeral; at most 64 characters
  </p>
)
