/** An input field for the name of a topic or a channel. `rule` is the id of the `NameRule` that it refers to. */
export const NameField = ({ isWrong, label, onChange, rule, value }: {
  readonly label: string
  readonly value: string
  readonly onChange: (value: string) => void
  readonly rule: string
  readonly isWrong: boolean
}) => (
  <label>
    {label}
    <input
      value={value}
      onChange={({ target }) => onChange(target.value)}
      aria-describedby={rule}
      aria-invalid={isWrong}
      autoComplete="off"
      spellCheck={false}
    />
  </label>
)
