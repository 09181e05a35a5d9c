package store

import "context"

// Setting returns a small thing the program keeps for itself, such as a
// generated password, and whether it is set.
func (s *Store) Setting(ctx context.Context, name string) (string, bool, error) {
	return s.Read(ctx).setting(name)
}

func (r Reader) setting(name string) (string, bool, error) {
	return queryOne(r, value[string], `SELECT value FROM settings WHERE name = $1`, name)
}

// SetSetting sets it.
func (s *Store) SetSetting(ctx context.Context, name, value string) error {
	return s.Write(ctx, func(tx *Tx) error { return tx.setSetting(name, value) })
}

func (tx *Tx) setSetting(name, value string) error {
	_, err := tx.exec(`INSERT INTO settings (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value
		WHERE settings.value <> excluded.value`, name, value)
	return err
}

// OnceSetting returns a setting, and makes it with make at the first time. made
// says whether that was now.
func (s *Store) OnceSetting(
	ctx context.Context, name string, make func() (string, error),
) (value string, made bool, err error) {
	err = s.Write(ctx, func(tx *Tx) error {
		var ok bool
		if value, ok, err = tx.setting(name); err != nil || ok {
			return err
		}
		if value, err = make(); err != nil {
			return err
		}
		made = true
		return tx.setSetting(name, value)
	})
	return value, made && err == nil, err
}
