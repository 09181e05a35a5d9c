package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"math/big"

	"github.com/wheelhouse-mqtt/wheelhouse/config"
	"github.com/wheelhouse-mqtt/wheelhouse/internal/store"
)

const (
	// easy are letters and digits that nobody confuses on a car's screen.
	easy           = "abcdefghjkmnpqrstuvwxyz23456789"
	passwordLength = 10
	homeUser       = "home"
)

// The names of what is generated once and kept in the store.
const (
	settingCarPassword  = "carstats.password"
	settingHomePassword = "broker.users.home.password"
	settingClientID     = "mqtt.client_id"
	settingDeleted      = "discovery.deleted"
)

// credentials are what people type, and the client id they need not know.
type credentials struct {
	CarPassword  string `json:"car_password"`
	HomePassword string `json:"home_password"`
	clientID     string
	fresh        bool // something was generated just now
}

// newCredentials takes the configured ones, and makes and keeps what is missing.
func newCredentials(ctx context.Context, cfg *config.Config, s *store.Store) (c credentials, err error) {
	c.CarPassword = cfg.CarStats.Password.Reveal()
	c.HomePassword = cfg.Broker.Users[homeUser].Password.Reveal()
	c.clientID = cfg.MQTT.ClientID
	for _, missing := range []struct {
		value *string
		name  string
		make  func() (string, error)
	}{
		{&c.CarPassword, settingCarPassword, easyPassword},
		{&c.HomePassword, settingHomePassword, easyPassword},
		{&c.clientID, settingClientID, newClientID},
	} {
		if *missing.value != "" {
			continue
		}
		value, made, err := s.OnceSetting(ctx, missing.name, missing.make)
		if err != nil {
			return c, err
		}
		*missing.value = value
		c.fresh = c.fresh || made && missing.name != settingClientID
	}
	return c, nil
}

func easyPassword() (string, error) {
	b := make([]byte, passwordLength)
	for i := range b {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(easy))))
		if err != nil {
			return "", err
		}
		b[i] = easy[n.Int64()]
	}
	return string(b), nil
}

func newClientID() (string, error) {
	b := make([]byte, 4)
	if _, err := rand.Read(b); err != nil {
		return "", err
	}
	return "wheelhouse_" + hex.EncodeToString(b), nil
}
